//! In whose name a request is made: an ordinary merchant's own, or a partner's for one of its sub-merchants.

use http::StatusCode;
use serde_json::Value;

use super::Call;
use super::error::ApiError;

/// The sort of merchant a path is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Ordinary,
    Partner,
}

/// What the body or the query names the parties with.
#[derive(Debug)]
pub(crate) struct Parties<'p> {
    pub(crate) side: Side,
    /// `mchid`, or `sp_mchid`.
    pub(crate) mchid: &'p str,
    /// `sub_mchid` of a partner's request; empty otherwise.
    pub(crate) sub_mchid: &'p str,
    pub(crate) is_in_query: bool,
}

impl<'p> Parties<'p> {
    pub(crate) fn of_body(side: Side, json: &'p Value) -> Self {
        let text = |name: &str| json[name].as_str().unwrap_or_default();
        match side {
            Side::Ordinary => Self { side, mchid: text("mchid"), sub_mchid: "", is_in_query: false },
            Side::Partner => Self { side, mchid: text("sp_mchid"), sub_mchid: text("sub_mchid"), is_in_query: false },
        }
    }

    pub(crate) fn of_query(side: Side, call: &'p Call<'_>) -> Self {
        match side {
            Side::Ordinary => Self { side, mchid: call.query("mchid"), sub_mchid: "", is_in_query: true },
            Side::Partner => Self { side, mchid: call.query("sp_mchid"), sub_mchid: call.query("sub_mchid"), is_in_query: true },
        }
    }

    /// Whether the caller may act in this name; gives the sub-merchant's number, empty for an ordinary merchant's own.
    pub(crate) fn check(&self, call: &Call<'_>) -> Result<&'p str, ApiError> {
        let (names, differs) = match self.side {
            Side::Ordinary => (("mchid", "/mchid"), "Http头Authorization中的mchid与post payload中的mchid不一致"),
            Side::Partner => (("sp_mchid", "/sp_mchid"), "Http头Authorization中的mchid与post payload中的sp_mchid不一致"),
        };
        if self.mchid != call.merchant.mchid {
            return Err(self.fault(names, self.mchid, differs));
        }
        match self.side {
            Side::Ordinary => Ok(""),
            Side::Partner => self.sub_merchant(call),
        }
    }

    fn sub_merchant(&self, call: &Call<'_>) -> Result<&'p str, ApiError> {
        let names = ("sub_mchid", "/sub_mchid");
        if self.sub_mchid.is_empty() {
            return Err(self.fault(names, "", "输入参数缺失").internal("268443704"));
        }
        if self.sub_mchid == self.mchid {
            return Err(self.fault(names, self.sub_mchid, "sub_mchid不能与sp_mchid相同").internal("268443705"));
        }
        if call.merchant.sub_mchids.iter().any(|known| known == self.sub_mchid) {
            return Ok(self.sub_mchid);
        }
        Err(ApiError::new(StatusCode::FORBIDDEN, "NO_AUTH", "特约子商户商户号未授权服务商的产品权限").internal("268443701"))
    }

    fn fault(&self, (name, pointer): (&'static str, &'static str), value: &str, message: &'static str) -> ApiError {
        if self.is_in_query {
            ApiError::parameter(name, value.into(), message).in_query()
        } else {
            ApiError::parameter(pointer, value.into(), message)
        }
    }
}
