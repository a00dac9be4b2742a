//! Uploads: the file is of a known kind and size and has the digest the signed part gives. Only the digest of a file is kept, as its number.

use http::StatusCode;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use serde_json::{Value, json};

use super::super::super::multipart::{self, Upload};
use super::super::Call;
use super::super::error::{ApiError, Reply};
use crate::ids::hex;

const MEBIBYTE: usize = 1024 * 1024;

/// Largest files of each kind.
const IMAGE_BYTES_MAX: usize = 5 * MEBIBYTE;
const PDF_BYTES_MAX: usize = 15 * MEBIBYTE / 2;
const VIDEO_BYTES_MAX: usize = 5 * MEBIBYTE;

const IMAGES: &[(&str, usize)] =
    &[("jpg", IMAGE_BYTES_MAX), ("jpeg", IMAGE_BYTES_MAX), ("bmp", IMAGE_BYTES_MAX), ("png", IMAGE_BYTES_MAX), ("pdf", PDF_BYTES_MAX)];
const PICTURES: &[(&str, usize)] = &[("jpg", IMAGE_BYTES_MAX), ("jpeg", IMAGE_BYTES_MAX), ("bmp", IMAGE_BYTES_MAX), ("png", IMAGE_BYTES_MAX)];
const VIDEOS: &[(&str, usize)] = &[
    ("avi", VIDEO_BYTES_MAX),
    ("wmv", VIDEO_BYTES_MAX),
    ("mpeg", VIDEO_BYTES_MAX),
    ("mp4", VIDEO_BYTES_MAX),
    ("mov", VIDEO_BYTES_MAX),
    ("mkv", VIDEO_BYTES_MAX),
    ("flv", VIDEO_BYTES_MAX),
    ("f4v", VIDEO_BYTES_MAX),
    ("m4v", VIDEO_BYTES_MAX),
    ("rmvb", VIDEO_BYTES_MAX),
];

/// What of a request's body is signed: of an upload the text of `meta`, else all of it.
pub(crate) fn signed_part<'b>(parts: &Parts, body: &'b [u8]) -> &'b [u8] {
    read(parts, body).map_or(body, |upload| upload.meta)
}

fn read<'b>(parts: &Parts, body: &'b [u8]) -> Option<Upload<'b>> {
    multipart::read(parts.headers.get(CONTENT_TYPE)?.to_str().ok()?, body)
}

/// `POST /v3/merchant/media/upload`
pub(super) fn image(call: &Call<'_>) -> Result<Reply, ApiError> {
    Ok(Reply::ok(&json!({"media_id": uploaded(call, IMAGES)?})))
}

/// `POST /v3/merchant/media/video_upload`
pub(super) fn video(call: &Call<'_>) -> Result<Reply, ApiError> {
    Ok(Reply::ok(&json!({"media_id": uploaded(call, VIDEOS)?})))
}

/// `POST /v3/merchant-service/images/upload`
pub(super) fn service_image(call: &Call<'_>) -> Result<Reply, ApiError> {
    Ok(Reply::ok(&json!({"media_id": uploaded(call, PICTURES)?})))
}

/// `POST /v3/marketing/favor/media/image-upload`: an address instead of a number.
pub(super) fn marketing_image(call: &Call<'_>) -> Result<Reply, ApiError> {
    let number = uploaded(call, PICTURES)?;
    Ok(Reply::ok(&json!({"media_url": format!("https://wxpaylogo.qpic.cn/wxpaylogo/{number}/0")})))
}

/// Checks an upload; its number is made of its digest, so the same file has the same one.
fn uploaded(call: &Call<'_>, kinds: &[(&str, usize)]) -> Result<String, ApiError> {
    let refused = |field, value: Value, message| Err(ApiError::parameter(field, value, message));
    let Some(upload) = read(call.parts, call.body) else {
        return refused("", Value::Null, "请求体不是包含meta和file的multipart/form-data");
    };
    let meta: Value = serde_json::from_slice(upload.meta).unwrap_or_default();
    if meta["filename"].as_str() != Some(upload.filename.as_str()) {
        return refused("/meta/filename", meta["filename"].clone(), "meta中的filename与文件名不一致");
    }
    let extension = upload.filename.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase()).unwrap_or_default();
    let Some((_, bytes_max)) = kinds.iter().find(|(kind, _)| *kind == extension) else {
        return refused("/meta/filename", upload.filename.into(), "不支持的文件类型");
    };
    if upload.file.is_empty() || upload.file.len() > *bytes_max {
        return Err(ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "INVALID_REQUEST", "文件为空或超出大小限制"));
    }
    let digest = hex(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, upload.file).as_ref());
    if meta["sha256"].as_str().is_none_or(|sha256| !sha256.eq_ignore_ascii_case(&digest)) {
        return refused("/meta/sha256", meta["sha256"].clone(), "文件的sha256与meta不一致");
    }
    Ok(format!("sandbox_{digest}"))
}
