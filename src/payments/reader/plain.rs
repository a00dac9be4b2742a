//! The plain request: words that ask to pay and hold nothing else. Every word has to be known, be a word of the order's own title or number, or
//! be its exact amount; anything left over may change the meaning, and then the answer is no.

/// English words that ask for a payment.
const VERBS: &str = "pay buy purchase checkout";

/// English words that change nothing.
const FILLERS: &str = "please pls for it this that these those them the a an my our now with by via using on wechat weixin cart basket order item items i d \
    like want to let s me us go ahead and ok okay yes thanks thank you bill in";

/// English words that stand only with an amount.
const UNITS: &str = "yuan rmb cny kuai another more";

/// Chinese phrases that ask for a payment, longer ones first.
const ASKS_ZH: &str = "支付 付款 付钱 购买 下单 结账 结帐 买单 埋单 扫码 付 买";

/// Chinese phrases that change nothing, longer ones first.
const FILLERS_ZH: &str = "麻烦 帮我 帮忙 给我 我要 我想 想要 微信 一下 这个 这双 这件 这款 这单 这些 订单 现在 马上 立即 立刻 谢谢 好的 可以 确认 请 用 要 想 吧 它 好 嗯 就 把 去";

/// Chinese signs that stand only with an amount.
const UNITS_ZH: &str = "元 块 钱 再";

/// Punctuation that changes nothing. A question mark does.
const MARKS: &str = ".,!;:'\"“”‘’，。！；：、()（）";

/// What the order itself is called: its words may stand in a request for it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Named<'a> {
    /// What is sold.
    pub title: &'a str,
    /// The merchant's order number.
    pub order_id: Option<&'a str>,
}

/// The words a plain request of one kind is made of.
pub struct Grammar {
    /// English words of which there must be one, unless a Chinese phrase asks; blanks between.
    pub verbs: &'static str,
    /// English words that change nothing.
    pub fillers: &'static str,
    /// Chinese phrases of which there must be one, unless an English word asks; longer ones first.
    pub verbs_zh: &'static str,
    /// Chinese phrases that change nothing; longer ones first.
    pub fillers_zh: &'static str,
}

const TO_PAY: Grammar = Grammar { verbs: VERBS, fillers: FILLERS, verbs_zh: ASKS_ZH, fillers_zh: FILLERS_ZH };

/// Whether a text plainly asks to pay for this order. `with_amount`: the text names the order's exact amount, so its digits and units may stand.
pub fn asks_to_pay(text: &str, order: Named<'_>, with_amount: bool) -> bool {
    let lower = text.to_lowercase().replace("check out", "checkout");
    // "Order it" asks; "my order" does not.
    let lower = lower.trim_start().strip_prefix("order ").map_or_else(|| lower.clone(), |rest| format!("buy {rest}"));
    TO_PAY.holds(&lower, order, with_amount)
}

impl Grammar {
    /// Whether a text (in lower case) asks, and every word of it is known.
    pub fn holds(&self, lower: &str, order: Named<'_>, with_amount: bool) -> bool {
        let title = order.title.to_lowercase();
        let mut lower = order.order_id.map_or_else(|| lower.to_owned(), |id| lower.replace(&id.to_lowercase(), " "));
        if !title.is_ascii() {
            lower = lower.replace(&title, " ");
        }
        let (words, rest) = english(&lower);
        let is_known = |word: &String| {
            [self.verbs, self.fillers].iter().any(|list| list.split(' ').any(|known| known == word))
                || (with_amount && (UNITS.split(' ').any(|unit| unit == word) || is_number(word)))
                || title.split(|c: char| !c.is_alphanumeric()).any(|known| known == word)
        };
        let (asked_zh, known_zh) = self.chinese(&rest, with_amount);
        let asked = words.iter().any(|word| self.verbs.split(' ').any(|verb| verb == word));
        words.iter().all(is_known) && known_zh && (asked || asked_zh)
    }

    /// Takes known phrases off one by one: whether one of them asks, and whether nothing is left.
    fn chinese(&self, text: &str, with_amount: bool) -> (bool, bool) {
        let mut asked = false;
        let mut rest = text.trim_start_matches(is_mark);
        while !rest.is_empty() {
            let ask = self.verbs_zh.split(' ').find_map(|phrase| rest.strip_prefix(phrase));
            let filler = || self.fillers_zh.split(' ').find_map(|phrase| rest.strip_prefix(phrase));
            let unit = || {
                UNITS_ZH
                    .split(' ')
                    .find_map(|phrase| rest.strip_prefix(phrase))
                    .or_else(|| rest.strip_prefix(|c| super::numeral_like(c) || "¥￥".contains(c)))
            };
            asked |= ask.is_some();
            match ask.or_else(filler).or_else(|| if with_amount { unit() } else { None }) {
                Some(after) => rest = after.trim_start_matches(is_mark),
                None => return (asked, false),
            }
        }
        (asked, true)
    }
}

fn is_number(word: &str) -> bool {
    word.bytes().all(|b| b.is_ascii_digit())
}

/// The English words of a text, numbers among them, and what is left without them.
fn english(lower: &str) -> (Vec<String>, String) {
    let (mut words, mut rest) = (Vec::new(), String::new());
    let mut word = String::new();
    for c in lower.chars().chain([' ']) {
        if c.is_ascii_alphanumeric() {
            word.push(c);
            continue;
        }
        if !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        rest.push(c);
    }
    (words, rest)
}

fn is_mark(c: char) -> bool {
    c.is_whitespace() || MARKS.contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHOES: Named<'_> = Named { title: "blue sneakers", order_id: Some("SO-1001") };
    const SHOES_ZH: Named<'_> = Named { title: "蓝色球鞋", order_id: None };

    #[test]
    fn only_a_plain_request_asks_to_pay() {
        for text in [
            "Pay for the blue sneakers",
            "pay for the blue sneakers with WeChat, please!",
            "buy it now",
            "check out please",
            "checkout",
            "Order it",
            "I'd like to pay for order SO-1001",
            "go ahead and pay",
            "帮我付款",
            "买单",
            "请用微信支付",
            "好的，帮我下单吧。",
            "扫码付款，谢谢",
        ] {
            assert!(asks_to_pay(text, SHOES, false), "{text}");
        }
        assert!(asks_to_pay("请帮我付款，蓝色球鞋", SHOES_ZH, false) && asks_to_pay("买蓝色球鞋", SHOES_ZH, false));
        for text in ["付129元", "帮我支付¥129.00", "pay 129 yuan for the blue sneakers", "付一百二十九块钱"] {
            assert!(asks_to_pay(text, SHOES, true), "{text}");
            assert!(!asks_to_pay(text, SHOES, false), "{text}: another amount may be meant");
        }
    }

    #[test]
    fn whatever_else_is_said_is_no_plain_request() {
        for text in [
            "",
            "don't pay",
            "不要付",
            "请勿支付",
            "无需支付",
            "我没付",
            "我已经付了",
            "我已经付过了",
            "付款失败了，怎么办",
            "买的鞋子什么时候到",
            "付一半",
            "买两双",
            "付了吗",
            "退款",
            "如果有货就买",
            "介绍一下支付安全",
            "买单？",
            "I refuse to pay",
            "I can't pay",
            "pay 100 first",
            "pay if it is under 200",
            "can I pay later?",
            "should I buy it",
            "my order arrived broken",
            "my order",
            "My payment failed, help me",
            "Tell me about your payment security",
            "I use PayPal",
            "I paid, showing the pay page",
            "the buyer is ill",
            "in order to ship it",
            "what colours are there",
            "buy two pairs of the blue sneakers",
            "pay half",
            "pay for the red hat",
        ] {
            assert!(!asks_to_pay(text, SHOES, false), "{text}");
        }
    }
}
