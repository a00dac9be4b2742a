//! QR codes as SVG, drawn in the page itself.

use fast_qr::QRBuilder;
use fast_qr::convert::Builder;
use fast_qr::convert::svg::SvgBuilder;

/// The QR code of `text`; `None` for a text no QR code can hold.
pub(super) fn svg(text: &str) -> Option<String> {
    let code = QRBuilder::new(text).build().ok()?;
    Some(SvgBuilder::default().margin(2).to_str(&code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_drawn_and_nonsense_is_not() {
        assert!(svg("weixin://wxpay/bizpayurl?pr=abc").is_some_and(|svg| svg.starts_with("<svg")));
        assert!(svg(&"x".repeat(10_000)).is_none());
    }
}
