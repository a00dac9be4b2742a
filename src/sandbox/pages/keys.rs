//! Keys to download: a merchant's own, and the platform's. They open nothing outside this sandbox.

use bytes::Bytes;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};

use super::super::Inner;
use super::super::serve::{Body, whole};

/// A merchant's files, in its folder.
pub(super) const OWN: [&str; 2] = ["apiclient_key.pem", "apiclient_cert.pem"];

/// The platform's files, in the sandbox's folder.
pub(super) const PLATFORM: [&str; 2] = ["platform_cert.pem", "pub_key.pem"];

/// `GET /operator/keys/{merchant}/{file}`: one of the files above, nothing else.
pub(in crate::sandbox) fn download(inner: &Inner, path: &str) -> Response<Body> {
    let found = path.split_once('/').and_then(|(name, file)| {
        let merchant = inner.accounts.all().iter().find(|merchant| merchant.name == name)?;
        let folder = if merchant.name == "demo" { inner.dir.clone() } else { inner.dir.join(&merchant.name) };
        let path = match file {
            file if OWN.contains(&file) => folder.join(file),
            file if merchant.is_guomi() && file == PLATFORM[0] => folder.join(file),
            file if PLATFORM.contains(&file) && !merchant.is_guomi() => inner.dir.join(file),
            _ => return None,
        };
        Some((std::fs::read(path).ok()?, HeaderValue::from_str(&format!("attachment; filename=\"{file}\"")).ok()?))
    });
    let Some((bytes, disposition)) = found else { return whole(StatusCode::NOT_FOUND, Bytes::new()) };
    let mut response = whole(StatusCode::OK, Bytes::from(bytes));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/x-pem-file"));
    response.headers_mut().insert(CONTENT_DISPOSITION, disposition);
    response
}
