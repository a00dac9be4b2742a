//! The route table: every method and path this sandbox answers, one line each, by product. Paths are matched as they were sent: nothing is
//! decoded, because signatures cover what stood on the wire.

use http::{Method, StatusCode};

use super::super::faults::Family;
use super::{Answer, Call, certificates, code_pay, combined, orders, refunds};

/// What a route does.
pub(crate) type Act = fn(&Call<'_>) -> Answer;

/// One line of the table.
pub(crate) struct Route {
    pub(crate) method: Method,
    /// The path; `{}` stands for one segment that is not empty.
    pub(crate) path: &'static str,
    /// Whose faults may strike here.
    pub(crate) family: Family,
    pub(crate) act: Act,
    /// Requests a second a merchant may make, where that is documented.
    pub(crate) per_second: Option<u32>,
}

impl Route {
    /// The same, with the documented number of requests a second.
    pub(super) const fn at_most(mut self, per_second: u32) -> Self {
        self.per_second = Some(per_second);
        self
    }
}

pub(super) const fn get(path: &'static str, family: Family, act: Act) -> Route {
    Route { method: Method::GET, path, family, act, per_second: None }
}

pub(super) const fn post(path: &'static str, family: Family, act: Act) -> Route {
    Route { method: Method::POST, path, family, act, per_second: None }
}

#[rustfmt::skip]
const ROUTES: &[Route] = &[
    // Orders: sandbox/v3/orders
    post("/v3/pay/transactions/native",                                 Family::Create, orders::native),
    post("/v3/pay/transactions/jsapi",                                  Family::Create, orders::jsapi).at_most(500),
    post("/v3/pay/transactions/app",                                    Family::Create, orders::app),
    post("/v3/pay/transactions/h5",                                     Family::Create, orders::h5),
    get ("/v3/pay/transactions/id/{}",                                  Family::Query,  orders::query_by_id),
    get ("/v3/pay/transactions/out-trade-no/{}",                        Family::Query,  orders::query),
    post("/v3/pay/transactions/out-trade-no/{}/close",                  Family::Close,  orders::close),
    post("/v3/pay/partner/transactions/native",                         Family::Create, orders::partner_native),
    post("/v3/pay/partner/transactions/jsapi",                          Family::Create, orders::partner_jsapi).at_most(500),
    post("/v3/pay/partner/transactions/app",                            Family::Create, orders::partner_app),
    post("/v3/pay/partner/transactions/h5",                             Family::Create, orders::partner_h5),
    get ("/v3/pay/partner/transactions/id/{}",                          Family::Query,  orders::partner_query_by_id),
    get ("/v3/pay/partner/transactions/out-trade-no/{}",                Family::Query,  orders::partner_query),
    post("/v3/pay/partner/transactions/out-trade-no/{}/close",          Family::Close,  orders::partner_close),
    // Code pay: sandbox/v3/code_pay.rs
    post("/v3/pay/transactions/codepay",                                Family::Create, code_pay::create).at_most(33),
    post("/v3/pay/transactions/out-trade-no/{}/reverse",                Family::Close,  code_pay::reverse),
    post("/v3/pay/partner/transactions/codepay",                        Family::Create, code_pay::partner_create).at_most(33),
    post("/v3/pay/partner/transactions/out-trade-no/{}/reverse",        Family::Close,  code_pay::partner_reverse),
    // Combined orders: sandbox/v3/combined.rs
    post("/v3/combine-transactions/native",                             Family::Create, combined::native),
    post("/v3/combine-transactions/jsapi",                              Family::Create, combined::jsapi),
    post("/v3/combine-transactions/miniprogram",                        Family::Create, combined::jsapi),
    post("/v3/combine-transactions/app",                                Family::Create, combined::app),
    post("/v3/combine-transactions/h5",                                 Family::Create, combined::h5),
    get ("/v3/combine-transactions/out-trade-no/{}",                    Family::Query,  combined::query),
    post("/v3/combine-transactions/out-trade-no/{}/close",              Family::Close,  combined::close),
    // Refunds: sandbox/v3/refunds.rs
    post("/v3/refund/domestic/refunds",                                 Family::Refund, refunds::create).at_most(150),
    get ("/v3/refund/domestic/refunds/{}",                              Family::Query,  refunds::query).at_most(300),
    post("/v3/refund/domestic/refunds/{}/apply-abnormal-refund",        Family::Refund, refunds::abnormal).at_most(150),
    // The platform's certificates: sandbox/v3/certificates.rs
    get ("/v3/certificates",                                            Family::Other,  certificates::list).at_most(1_000),
];

/// The route of a request and the segments its `{}` stand for. 404 for a path nobody knows, 405 for one that is known for another method.
pub(super) fn find<'p>(method: &Method, path: &'p str) -> Result<(&'static Route, Vec<&'p str>), StatusCode> {
    let mut status = StatusCode::NOT_FOUND;
    for route in ROUTES.iter().chain(super::products::ROUTES) {
        let Some(segments) = segments(route.path, path) else { continue };
        if route.method == *method {
            return Ok((route, segments));
        }
        status = StatusCode::METHOD_NOT_ALLOWED;
    }
    Err(status)
}

/// What the `{}` of a pattern stand for in `path`, if it fits.
fn segments<'p>(pattern: &str, path: &'p str) -> Option<Vec<&'p str>> {
    let (mut wanted, mut given) = (pattern.split('/'), path.split('/'));
    let mut found = Vec::new();
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return Some(found),
            (Some("{}"), Some(segment)) if !segment.is_empty() => found.push(segment),
            (Some(want), Some(segment)) if want == segment => {}
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(method: &Method, path: &str) -> Result<(&'static str, Vec<String>), u16> {
        let (route, segments) = find(method, path).map_err(|status| status.as_u16())?;
        Ok((route.path, segments.into_iter().map(str::to_owned).collect()))
    }

    #[test]
    fn paths_are_taken_as_they_were_sent() {
        let (get, post) = (Method::GET, Method::POST);
        assert_eq!(at(&get, "/v3/pay/transactions/out-trade-no/a|b%7Cc"), Ok(("/v3/pay/transactions/out-trade-no/{}", vec!["a|b%7Cc".to_owned()])));
        assert_eq!(at(&post, "/v3/pay/transactions/out-trade-no/a/close").map(|(path, _)| path), Ok("/v3/pay/transactions/out-trade-no/{}/close"));
        assert_eq!(at(&post, "/v3/certificates"), Err(405));
        assert_eq!(at(&get, "/v3/pay/transactions/native"), Err(405));
        for unknown in ["/v3/certificates/", "/v3/pay/transactions/out-trade-no/", "/v3/pay/transactions/id/a/b", "/v3", "/v3//certificates"] {
            assert_eq!(at(&get, unknown), Err(404), "{unknown}");
        }
    }

    #[test]
    fn no_line_hides_another() {
        for route in ROUTES.iter().chain(super::super::products::ROUTES) {
            let found = find(&route.method, &route.path.replace("{}", "x1")).map(|(found, segments)| (found.path, segments.len()));
            assert_eq!(found, Ok((route.path, route.path.matches("{}").count())));
        }
    }
}
