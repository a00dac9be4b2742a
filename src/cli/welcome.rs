//! What a newcomer reads when fengate has started: where things are, and a first payment to paste.

use crate::app::App;
use crate::routes::DEMO_KEY;

/// The text.
pub(super) fn text(app: &App, demo: bool, model: &str) -> String {
    let sandbox =
        app.sandbox.map(|address| format!("\n  sandbox   http://{address}   the payer's phone, WeChat Pay v3, a model")).unwrap_or_default();
    let addresses = format!(
        "fengate {}\n\n  public    http://{}   your base_url, with /v1\n  admin     http://{}   /metrics /healthz /readyz{sandbox}",
        env!("CARGO_PKG_VERSION"),
        app.public,
        app.admin
    );
    match app.sandbox.filter(|_| demo) {
        Some(phone) => format!("{addresses}\n  demo key  {DEMO_KEY}   from this machine only\n\n{}", first_payment(app, model, phone)),
        None => addresses,
    }
}

fn first_payment(app: &App, model: &str, phone: std::net::SocketAddr) -> String {
    let public = app.public;
    format!(
        r#"A first payment with curl:

curl -s http://{public}/v1/chat/completions -H 'Authorization: Bearer {DEMO_KEY}' -H 'Content-Type: application/json' -d '{{"model": "{model}",
  "messages": [{{"role": "user", "content": "pay for the blue sneakers"}}],
  "payment": {{"order": {{"id": "SO-1001", "description": "blue sneakers", "amount": {{"total": 12900, "currency": "CNY"}}}}}}}}'

The same with Python (pip install openai):

from openai import OpenAI
client = OpenAI(base_url="http://{public}/v1", api_key="{DEMO_KEY}")
answer = client.chat.completions.create(
    model="{model}",
    messages=[{{"role": "user", "content": "pay for the blue sneakers"}}],
    extra_body={{"payment": {{"order": {{"id": "SO-1001", "description": "blue sneakers", "amount": {{"total": 12900, "currency": "CNY"}}}}}}}},
)
print(answer.choices[0].message.content)

Then open the page it names, and pay on the phone at http://{phone}/
"#
    )
}
