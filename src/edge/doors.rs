//! The doors of the public listener: the whole route table in one match. Segments are matched as they are written: nothing is decoded,
//! but the slash in a model's name, which some clients escape.

use http::request::Parts;
use http::{Method, Request, Response};
use hyper::body::Incoming;

use super::body::Body;
use super::{Arrival, SharedHouse, answer, callback, chat, classic, guard, models, pay_events, pay_page, payments};
use crate::refusal::{Kind, Refusal};

/// Where a path leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Door<'p> {
    Chat,
    Models,
    Model(&'p str),
    Payment(&'p str),
    WechatPayCallback(&'p str),
    PayPage(&'p str),
    PayEvents(&'p str),
    Classic,
    Nowhere,
}

fn door(path: &str) -> Door<'_> {
    if path.starts_with(classic::ROOT) {
        return Door::Classic;
    }
    let mut segments = path.strip_prefix('/').unwrap_or_default().split('/');
    let mut next = || segments.next().unwrap_or_default();
    let found = match (next(), next()) {
        ("v1", "chat") if next() == "completions" => Door::Chat,
        // A model's name may hold slashes.
        ("v1", "models") => return path.strip_prefix("/v1/models/").filter(|name| !name.is_empty()).map_or(Door::Models, Door::Model),
        ("v1", "payments") => Door::Payment(next()),
        ("callbacks", "wechatpay") => Door::WechatPayCallback(next()),
        ("pay", id) => match next() {
            "" => Door::PayPage(id),
            "events" => Door::PayEvents(id),
            _ => Door::Nowhere,
        },
        _ => Door::Nowhere,
    };
    if segments.next().is_none() { found } else { Door::Nowhere }
}

/// A model's name whose slashes may be escaped. Nothing else is decoded: a name that needs more is no model of `routes.toml`.
fn with_slashes(name: &str) -> String {
    name.replace("%2F", "/").replace("%2f", "/")
}

/// Which door a path leads to, for metrics and the log.
pub fn name_of(path: &str) -> &'static str {
    match door(path) {
        Door::Chat => "chat",
        Door::Models | Door::Model(_) => "models",
        Door::Payment(_) => "payments",
        Door::WechatPayCallback(_) => "callbacks",
        Door::PayPage(_) => "pay",
        Door::PayEvents(_) => "pay_events",
        Door::Classic => "classic",
        Door::Nowhere => "nowhere",
    }
}

/// Lets a request in and answers it.
pub async fn enter(house: SharedHouse, request: Request<Incoming>) -> Response<Body> {
    // Each dialect has its own errors.
    let refuse = if door(request.uri().path()) == Door::Classic { classic::refused } else { answer::refusal };
    if let Err(refusal) = guard::check(&request) {
        return refuse(&refusal);
    }
    if house.tasks.is_stopping() {
        return refuse(&Refusal::new(Kind::Draining, "draining", "This fengate is shutting down and starts nothing new; ask again."));
    }
    let (mut parts, body) = request.into_parts();
    let Some(arrival) = parts.extensions.remove::<Arrival>() else { return refuse(&Refusal::internal("a request nobody observed")) };
    let answered = match (door(parts.uri.path()), &parts.method) {
        (Door::Chat, &Method::POST) => chat::open(&house, &arrival, &parts, body).await,
        (Door::Models, &Method::GET) => models::list(&house, &arrival, &parts),
        (Door::Model(name), &Method::GET) => models::one(&house, &arrival, &parts, &with_slashes(name)),
        (Door::Payment(id), &Method::GET) => payments::one(&house, &arrival, &parts, id).await,
        (Door::WechatPayCallback(merchant), &Method::POST) => return callback::wechatpay(&house, &parts, body, merchant).await,
        (Door::PayPage(id), &Method::GET) => return pay_page::show(&house, &parts, id).await,
        (Door::PayEvents(id), &Method::GET) => pay_events::follow(&house, &parts, id).await,
        (Door::Classic, _) => return classic::enter(&house, &arrival, parts, body).await,
        (Door::Chat | Door::WechatPayCallback(_), _) => return answer::method_not_allowed("POST"),
        (Door::Nowhere, _) => Err(nowhere(&parts)),
        (_, _) => return answer::method_not_allowed("GET"),
    };
    answered.unwrap_or_else(|refusal| answer::refusal(&refusal))
}

fn nowhere(parts: &Parts) -> Refusal {
    let hint = match parts.uri.path() {
        "/chat/completions" | "/models" => " Add /v1 to your base_url.",
        path if path.starts_with("/v1/v1") => " Your base_url has /v1 twice.",
        path if path.starts_with("/v1/") => {
            " Of the OpenAI API this fengate serves POST /v1/chat/completions and GET /v1/models; of payments GET /v1/payments/{id}."
        }
        _ => " See the README for the paths fengate knows.",
    };
    Refusal::new(Kind::NotFound, "not_found", format!("There is nothing at this path.{hint}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_where_they_are_written() {
        for (path, to) in [
            ("/v1/chat/completions", Door::Chat),
            ("/v1/models", Door::Models),
            ("/v1/models/", Door::Models),
            ("/v1/models/org/name", Door::Model("org/name")),
            ("/v1/models/org%2Fname", Door::Model("org%2Fname")),
            ("/v1/payments/pay_1", Door::Payment("pay_1")),
            ("/callbacks/wechatpay/demo", Door::WechatPayCallback("demo")),
            ("/v3/pay/transactions/native", Door::Classic),
            ("/v3/anything/at//all", Door::Classic),
            ("/pay/pay_1", Door::PayPage("pay_1")),
            ("/pay/pay_1/events", Door::PayEvents("pay_1")),
        ] {
            assert_eq!(door(path), to, "{path}");
        }
        assert_eq!(with_slashes("org%2Fna%2fme"), "org/na/me");
        assert_eq!(with_slashes("org%252Fname%2E"), "org%252Fname%2E", "once, and nothing else");
        for path in [
            "",
            "/",
            "/v1",
            "/v1/chat/completions/",
            "/v1/chat/completions/x",
            "/V1/chat/completions",
            "/v3",
            "/v33/pay",
            "//v1/chat/completions",
            "/v1/%63hat/completions",
            "/pay/x/y",
            "/pay/x/events/z",
            "/v1/payments/a/b",
        ] {
            assert_eq!(door(path), Door::Nowhere, "{path}");
        }
    }
}
