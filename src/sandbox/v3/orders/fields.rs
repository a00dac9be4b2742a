//! The fields of an order, product by product, as the documents list them.

use super::super::schema::{FEN, Field, Kind, OUT_TRADE_NO, may, must};

const AMOUNT: Kind = Kind::Object(&[must("total", FEN), may("currency", Kind::OneOf(&["CNY"]))]);

const GOODS: Kind = Kind::Object(&[
    must("merchant_goods_id", Kind::Text(32)),
    may("wechatpay_goods_id", Kind::Text(32)),
    may("goods_name", Kind::Text(256)),
    must("quantity", Kind::Int(1, i64::MAX)),
    must("unit_price", Kind::Int(0, i64::MAX)),
]);

/// Most kinds of goods in an order; the whole detail is bounded by its bytes besides.
const GOODS_MAX: usize = 500;

const DETAIL: Kind =
    Kind::Object(&[may("cost_price", Kind::Int(0, i64::MAX)), may("invoice_id", Kind::Text(32)), may("goods_detail", Kind::List(GOODS_MAX, &GOODS))]);

const STORE: Kind =
    Kind::Object(&[must("id", Kind::Text(32)), may("name", Kind::Text(256)), may("area_code", Kind::Text(32)), may("address", Kind::Text(512))]);

pub(crate) const SCENE: Kind = Kind::Object(&[must("payer_client_ip", Kind::Text(45)), may("device_id", Kind::Free(32)), may("store_info", STORE)]);

pub(crate) const H5_SCENE: Kind = Kind::Object(&[
    must("payer_client_ip", Kind::Text(45)),
    may("device_id", Kind::Free(32)),
    may("store_info", STORE),
    must(
        "h5_info",
        Kind::Object(&[
            must("type", Kind::OneOf(&["Wap", "iOS", "Android"])),
            may("app_name", Kind::Text(64)),
            may("app_url", Kind::Text(128)),
            may("bundle_id", Kind::Text(128)),
            may("package_name", Kind::Text(128)),
        ]),
    ),
]);

const IDENTITY: Kind = Kind::Object(&[
    must(
        "type",
        Kind::OneOf(&[
            "IDCARD",
            "HONGKONG_MACAO",
            "HONGKONG_MACAO_RESIDENT",
            "TAIWAN_RESIDENT",
            "FOREIGN_RESIDENT",
            "OVERSEA_PASSPORT",
            "PHONE_NUMBER",
        ]),
    ),
    must("number", Kind::Text(1024)),
    may("name", Kind::Text(1024)),
]);

pub(crate) const LIMIT_PAY: Kind = Kind::List(4, &Kind::OneOf(&["no_balance", "no_credit", "no_debit", "balance_only"]));

/// A store with code pay names itself by one of two numbers.
const TILL: Kind = Kind::Object(&[may("id", Kind::Text(32)), may("out_id", Kind::Text(32))]);

const TILL_SCENE: Kind = Kind::Object(&[may("device_id", Kind::Free(32)), may("device_ip", Kind::Text(45)), must("store_info", TILL)]);

/// Code pay: the payer's code instead of a notify_url.
macro_rules! code_pay_fields {
    ($($own:expr),*) => {
        &[
            $($own,)*
            must("description", Kind::Text(127)),
            must("out_trade_no", OUT_TRADE_NO),
            must("payer", Kind::Object(&[must("auth_code", Kind::Text(32))])),
            must("amount", AMOUNT),
            must("scene_info", TILL_SCENE),
            may("attach", Kind::Free(128)),
            may("goods_tag", Kind::Text(32)),
            may("support_fapiao", Kind::Bool),
            may("detail", DETAIL),
            may("settle_info", Kind::Object(&[may("profit_sharing", Kind::Bool)])),
        ]
    };
}

/// Bytes of a detail at most.
pub(super) const DETAIL_BYTES_MAX: usize = 6_144;

/// What every product has in common, for both sorts of merchant.
macro_rules! order_fields {
    ($($own:expr),* ; $scene:expr) => {
        &[
            $($own,)*
            must("description", Kind::Text(127)),
            must("out_trade_no", OUT_TRADE_NO),
            may("time_expire", Kind::Time),
            may("attach", Kind::Free(128)),
            must("notify_url", Kind::NotifyUrl),
            may("goods_tag", Kind::Text(32)),
            may("support_fapiao", Kind::Bool),
            must("amount", AMOUNT),
            may("detail", DETAIL),
            $scene,
            may("settle_info", Kind::Object(&[may("profit_sharing", Kind::Bool)])),
            may("limit_pay", LIMIT_PAY),
        ]
    };
}

const APPID: Field = must("appid", Kind::Text(32));
const MCHID: Field = must("mchid", Kind::Text(32));
const SP_APPID: Field = must("sp_appid", Kind::Text(32));
const SP_MCHID: Field = must("sp_mchid", Kind::Text(32));
const SUB_APPID: Field = may("sub_appid", Kind::Text(32));
const SUB_MCHID: Field = must("sub_mchid", Kind::Text(32));
const PAYER: Field = must("payer", Kind::Object(&[must("openid", Kind::Text(128)), may("identity", IDENTITY)]));
const PARTNER_PAYER: Field =
    must("payer", Kind::Object(&[may("sp_openid", Kind::Text(128)), may("sub_openid", Kind::Text(128)), may("identity", IDENTITY)]));
const SOME_PAYER: Field = may("payer", Kind::Object(&[may("identity", IDENTITY)]));
const SOME_SCENE: Field = may("scene_info", SCENE);
const H5: Field = must("scene_info", H5_SCENE);

pub(super) const PLAIN: &[Field] = order_fields!(APPID, MCHID, SOME_PAYER; SOME_SCENE);
pub(super) const JSAPI: &[Field] = order_fields!(APPID, MCHID, PAYER; SOME_SCENE);
pub(super) const H5_PAY: &[Field] = order_fields!(APPID, MCHID, SOME_PAYER; H5);
pub(super) const PARTNER_PLAIN: &[Field] = order_fields!(SP_APPID, SP_MCHID, SUB_APPID, SUB_MCHID, SOME_PAYER; SOME_SCENE);
pub(super) const PARTNER_JSAPI: &[Field] = order_fields!(SP_APPID, SP_MCHID, SUB_APPID, SUB_MCHID, PARTNER_PAYER; SOME_SCENE);
pub(super) const PARTNER_H5_PAY: &[Field] = order_fields!(SP_APPID, SP_MCHID, SUB_APPID, SUB_MCHID, SOME_PAYER; H5);
pub(crate) const CODE_PAY: &[Field] = code_pay_fields!(APPID, MCHID);
pub(crate) const PARTNER_CODE_PAY: &[Field] = code_pay_fields!(SP_APPID, SP_MCHID, SUB_APPID, SUB_MCHID);
