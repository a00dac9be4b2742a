//! Families of WeChat Pay's operations: what limits and metrics are kept by. Paths are read as they stand; nothing is decoded.

use http::Method;

use super::TradeType;

/// A family of operations under `/v3/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// Native orders.
    Native,
    /// Orders inside WeChat: public accounts and mini-programs.
    Jsapi,
    /// Orders of apps.
    App,
    /// Orders of browsers outside WeChat.
    H5,
    /// The merchant scans the payer's code; also its reversal.
    CodePay,
    /// How an order stands.
    Query,
    /// Closing an order.
    Close,
    /// Combined orders: creating, querying, closing.
    Combine,
    /// Refunds, abnormal ones too.
    Refund,
    /// How a refund stands.
    RefundQuery,
    /// Bills, and their downloads.
    Bill,
    /// The platform's certificates.
    Certificates,
    /// Profit sharing.
    ProfitSharing,
    /// Transfers to users.
    Transfer,
    /// Pay score.
    PayScore,
    /// Contracts and deductions.
    Papay,
    /// Uploaded pictures and films.
    Upload,
    /// Everything else.
    Other,
}

impl From<TradeType> for Family {
    fn from(trade_type: TradeType) -> Self {
        match trade_type {
            TradeType::Native => Self::Native,
            TradeType::Jsapi => Self::Jsapi,
            TradeType::App => Self::App,
            TradeType::H5 => Self::H5,
        }
    }
}

impl Family {
    /// Every family.
    pub const ALL: [Self; 18] = [
        Self::Native,
        Self::Jsapi,
        Self::App,
        Self::H5,
        Self::CodePay,
        Self::Query,
        Self::Close,
        Self::Combine,
        Self::Refund,
        Self::RefundQuery,
        Self::Bill,
        Self::Certificates,
        Self::ProfitSharing,
        Self::Transfer,
        Self::PayScore,
        Self::Papay,
        Self::Upload,
        Self::Other,
    ];

    /// The word in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Jsapi => "jsapi",
            Self::App => "app",
            Self::H5 => "h5",
            Self::CodePay => "codepay",
            Self::Query => "query",
            Self::Close => "close",
            Self::Combine => "combine",
            Self::Refund => "refund",
            Self::RefundQuery => "refund_query",
            Self::Bill => "bill",
            Self::Certificates => "certificates",
            Self::ProfitSharing => "profitsharing",
            Self::Transfer => "transfer",
            Self::PayScore => "payscore",
            Self::Papay => "papay",
            Self::Upload => "upload",
            Self::Other => "other",
        }
    }

    /// Reads that word back.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|family| family.name() == name)
    }

    /// The family of a request, by its method and its path (without the query).
    pub fn of(method: &Method, path: &str) -> Self {
        let Some(rest) = path.strip_prefix("/v3/") else { return Self::Other };
        let (first, rest) = rest.split_once('/').unwrap_or((rest, ""));
        match first {
            "pay" => Self::of_order(rest.strip_prefix("partner/").unwrap_or(rest)),
            "combine-transactions" => Self::Combine,
            "refund" if *method == Method::GET => Self::RefundQuery,
            "refund" => Self::Refund,
            "bill" | "billdownload" => Self::Bill,
            "certificates" => Self::Certificates,
            "profitsharing" => Self::ProfitSharing,
            "fund-app" | "transfer" => Self::Transfer,
            "payscore" => Self::PayScore,
            "papay" => Self::Papay,
            "merchant" | "merchant-service" | "marketing" if rest.contains("upload") => Self::Upload,
            _ => Self::Other,
        }
    }

    fn of_order(path: &str) -> Self {
        let Some(rest) = path.strip_prefix("transactions/") else { return Self::Other };
        match rest {
            "native" => Self::Native,
            "jsapi" | "miniprogram" => Self::Jsapi,
            "app" => Self::App,
            "h5" => Self::H5,
            "codepay" => Self::CodePay,
            _ if rest.ends_with("/close") => Self::Close,
            _ if rest.ends_with("/reverse") => Self::CodePay,
            _ if rest.starts_with("out-trade-no/") || rest.starts_with("id/") => Self::Query,
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_documented_path_has_its_family() {
        for (method, path, family) in [
            ("POST", "/v3/pay/transactions/native", Family::Native),
            ("POST", "/v3/pay/partner/transactions/jsapi", Family::Jsapi),
            ("POST", "/v3/pay/transactions/h5", Family::H5),
            ("POST", "/v3/pay/transactions/app", Family::App),
            ("GET", "/v3/pay/transactions/out-trade-no/a%7Cb", Family::Query),
            ("GET", "/v3/pay/partner/transactions/id/42", Family::Query),
            ("POST", "/v3/pay/transactions/out-trade-no/x/close", Family::Close),
            ("POST", "/v3/pay/transactions/out-trade-no/x/reverse", Family::CodePay),
            ("POST", "/v3/refund/domestic/refunds", Family::Refund),
            ("GET", "/v3/refund/domestic/refunds/r1", Family::RefundQuery),
            ("GET", "/v3/bill/tradebill", Family::Bill),
            ("GET", "/v3/billdownload/file", Family::Bill),
            ("GET", "/v3/certificates", Family::Certificates),
            ("POST", "/v3/combine-transactions/native", Family::Combine),
            ("POST", "/v3/merchant/media/upload", Family::Upload),
            ("POST", "/v3/marketing/favor/media/image-upload", Family::Upload),
            ("POST", "/v3/marketing/favor/stocks", Family::Other),
            ("GET", "/v3/", Family::Other),
            ("GET", "/v3/pay/transactions", Family::Other),
        ] {
            assert_eq!(Family::of(&method.parse().expect("a method"), path), family, "{method} {path}");
        }
    }
}
