"""openai-python makes payments through function calls, whole and streamed, and gets the exceptions its users expect."""

import openai
from openai import OpenAI

from settling import FENGATE, KEY, orders, pay

client = OpenAI(base_url=f"{FENGATE}/v1", api_key=KEY, timeout=20)
MODEL = "wechat-pay-base"


def order(number: str, total: int) -> dict:
    return {"payment": {"order": {"id": number, "description": "blue sneakers", "amount": {"total": total, "currency": "CNY"}}}}


def said(words: str) -> list:
    return [{"role": "user", "content": words}]


# Whole, the merchant's order in the trusted context.
whole = client.chat.completions.create(model=MODEL, messages=said("pay for the blue sneakers"), extra_body=order("SO-1", 12900))
assert whole.choices[0].finish_reason == "stop" and "129.00" in whole.choices[0].message.content, whole
paid = pay(whole.payments[0])
assert paid["amount"] == {"total": 12900, "currency": "CNY"} and paid["decided_by"] == "model", paid

# Streamed, the amount in the user's own words, in Chinese.
text, payments, usage = "", [], None
stream = client.chat.completions.create(model=MODEL, messages=said("帮我支付¥39.9买咖啡"), stream=True, stream_options={"include_usage": True})
for chunk in stream:
    if chunk.choices:
        assert not chunk.choices[0].delta.tool_calls, "a payment call showed"
        text += chunk.choices[0].delta.content or ""
    payments += (chunk.model_extra or {}).get("payments") or []
    usage = chunk.usage or usage
assert "39.90" in text and len(payments) == 1 and usage.total_tokens > 0, (text, payments, usage)
assert pay(payments[0])["amount"]["total"] == 3990

# The client's own tool schema, mapped by routes.toml; its other tools come back to it.
TOOLS = [
    {"type": "function", "function": {"name": "create_payment", "parameters": {"type": "object", "properties": {"total_fee": {"type": "integer"}, "body": {"type": "string"}}}}},
    {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}},
]
mapped = client.chat.completions.create(model=MODEL, messages=said("buy the tea for 45 yuan"), tools=TOOLS)
assert mapped.choices[0].message.tool_calls is None and mapped.payments[0]["amount"]["total"] == 4500, mapped
pay(mapped.payments[0])
own = client.chat.completions.create(model=MODEL, messages=said("how is the weather?"), tools=TOOLS)
assert own.choices[0].finish_reason == "tool_calls" and own.choices[0].message.tool_calls[0].function.name == "get_weather", own

# The streaming helper puts the same together.
with client.chat.completions.stream(model=MODEL, messages=said("hello"), tools=[]) as helper:
    final = helper.get_final_completion()
assert final.choices[0].message.content and final.choices[0].message.role == "assistant", final

# The same request again, as the SDK's own retries send it, is the same payment.
before = len(orders())
again = client.chat.completions.create(model=MODEL, messages=said("pay for the blue sneakers"), extra_body=order("SO-1", 12900))
assert again.payments[0]["id"] == paid["id"] and again.payments[0]["state"] == "paid" and len(orders()) == before

# Models, and the exceptions users catch.
assert MODEL in [model.id for model in client.models.list()]
assert client.models.retrieve(MODEL).id == MODEL


def raises(kind, call):
    try:
        call()
    except kind as error:
        return error
    raise AssertionError(f"{kind} was not raised")


quick = client.with_options(max_retries=0)
raises(openai.NotFoundError, lambda: quick.chat.completions.create(model="nobody", messages=said("hi")))
raises(openai.AuthenticationError, lambda: OpenAI(base_url=f"{FENGATE}/v1", api_key="sk-wrong").models.list())
bad = raises(openai.BadRequestError, lambda: quick.chat.completions.create(model=MODEL, messages=said("pay"), extra_body={"payment": {"order": {"amount": {"total": 0}}}}))
assert bad.code == "invalid_payment" and bad.param == "payment.order.amount.total" and bad.response.headers["x-request-id"], bad
raises(openai.APIError, lambda: list(quick.chat.completions.create(model=MODEL, messages=said("hello there [cut]"), stream=True)))
