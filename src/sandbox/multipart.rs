//! Uploads: `multipart/form-data` of two parts, `meta` and `file`. Only the text of `meta` is signed, so its bytes are kept as they came.
//! Written here because readers of streams drop the very bytes the signature covers, and two parts of a body already in memory need no stream.

use memchr::memmem;

/// Most parts looked at.
const PARTS_MAX: usize = 8;

/// What an upload holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Upload<'b> {
    /// The exact text between the blank line and the line end before the boundary.
    pub(super) meta: &'b [u8],
    /// The file's name, as its part says.
    pub(super) filename: String,
    pub(super) file: &'b [u8],
}

/// Reads a body by its `Content-Type`; `None` if it is no upload.
pub(super) fn read<'b>(content_type: &str, body: &'b [u8]) -> Option<Upload<'b>> {
    let delimiter = format!("--{}", boundary(content_type, body)?);
    let (mut meta, mut file) = (None, None);
    let mut rest = body.strip_prefix(delimiter.as_bytes())?;
    let between = format!("\r\n{delimiter}");
    for _ in 0..PARTS_MAX {
        let Some(part) = rest.strip_prefix(b"\r\n") else { break };
        let end = memmem::find(part, between.as_bytes())?;
        let (head, content) = split(part.get(..end)?)?;
        match parameter(&head, "name").as_deref() {
            Some("meta") => meta = Some(content),
            Some("file") => file = Some((parameter(&head, "filename")?, content)),
            _ => {}
        }
        rest = part.get(end + between.len()..)?;
    }
    let (filename, file) = file?;
    rest.starts_with(b"--").then_some(())?;
    Some(Upload { meta: meta?, filename, file })
}

/// The boundary of a `Content-Type`, at most 70 characters, bare or quoted. The Python SDK names none: then it is what the body begins with.
fn boundary<'b>(content_type: &'b str, body: &'b [u8]) -> Option<&'b str> {
    let (kind, parameters) = content_type.split_once(';').unwrap_or((content_type, ""));
    kind.trim().eq_ignore_ascii_case("multipart/form-data").then_some(())?;
    let named = parameters.split(';').find_map(|one| {
        let (name, value) = one.trim().split_once('=')?;
        name.eq_ignore_ascii_case("boundary").then_some(value.trim_matches('"'))
    });
    let begun = || std::str::from_utf8(body.get(..memmem::find(body, b"\r\n")?)?.strip_prefix(b"--")?).ok();
    named.or_else(begun).filter(|boundary| (1..=70).contains(&boundary.len()))
}

/// A part's fields and its content.
fn split(part: &[u8]) -> Option<(String, &[u8])> {
    let blank = memmem::find(part, b"\r\n\r\n")?;
    Some((String::from_utf8(part.get(..blank)?.to_vec()).ok()?, part.get(blank + 4..)?))
}

/// A parameter of the part's `Content-Disposition`.
fn parameter(head: &str, name: &str) -> Option<String> {
    let disposition = head.split("\r\n").find(|line| line.to_ascii_lowercase().starts_with("content-disposition:"))?;
    disposition.split(';').skip(1).find_map(|one| {
        let (key, value) = one.trim().split_once('=')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim_matches('"').to_owned())
    })
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    fn vector() -> (String, Vec<u8>, String) {
        let vectors: serde_json::Value = serde_json::from_str(include_str!("../../tests/vectors/vectors.json")).expect("JSON");
        let vector = vectors["vectors"].as_array().expect("a list").iter().find(|one| one["id"] == "req-media-upload").expect("there").clone();
        let text = |name: &str| vector[name].as_str().expect("text").to_owned();
        (text("content_type"), STANDARD.decode(text("multipart_body_base64")).expect("base64"), text("meta_utf8"))
    }

    #[test]
    fn the_signed_part_is_taken_byte_for_byte() {
        let (content_type, body, meta) = vector();
        let upload = read(&content_type, &body).expect("reads");
        assert_eq!((upload.meta, upload.filename.as_str()), (meta.as_bytes(), "a.png"));
        let sha256 = crate::ids::hex(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, upload.file).as_ref());
        assert!(meta.contains(&sha256), "{sha256}");
        assert_eq!(read("multipart/form-data", &body), Some(upload), "as the Python SDK says it");
    }

    #[test]
    fn what_is_no_upload_is_none() {
        let (content_type, body, _) = vector();
        for kind in ["application/json", "multipart/form-data; boundary=", "multipart/form-data; boundary=other"] {
            assert_eq!(read(kind, &body), None, "{kind}");
        }
        for end in 0..body.len() - 4 {
            assert_eq!(read(&content_type, &body[..end]), None, "cut off at {end}");
        }
    }
}
