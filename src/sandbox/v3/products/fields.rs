//! A body that was checked against its fields, and what is read out of it.

use http::StatusCode;
use serde_json::Value;

use super::super::Call;
use super::super::error::ApiError;
use super::super::schema::{self, Field};

/// A body that is in order.
pub(super) struct Fields(pub(super) Value);

impl Fields {
    /// The body of a call, which has these fields and no others.
    pub(super) fn of(call: &Call<'_>, fields: &[Field]) -> Result<Self, ApiError> {
        let json = call.json()?;
        schema::check(fields, &json)?;
        Ok(Self(json))
    }

    /// The same with an application that is bound to the caller.
    pub(super) fn with_appid(call: &Call<'_>, fields: &[Field]) -> Result<Self, ApiError> {
        let fields = Self::of(call, fields)?;
        if call.merchant.appids.iter().any(|bound| bound == fields.text("appid")) {
            return Ok(fields);
        }
        Err(ApiError::new(StatusCode::BAD_REQUEST, "APPID_MCHID_NOT_MATCH", "appid和mchid不匹配").internal("268445527"))
    }

    /// A text; empty where it may be missing.
    pub(super) fn text(&self, name: &str) -> &str {
        self.optional(name).unwrap_or_default()
    }

    /// A text that may be missing.
    pub(super) fn optional(&self, name: &str) -> Option<&str> {
        self.0[name].as_str()
    }

    /// An amount in fen.
    pub(super) fn fen(&self, pointer: &str) -> i64 {
        self.0.pointer(pointer).and_then(Value::as_i64).unwrap_or_default()
    }
}

/// The number stands for something else.
pub(super) fn used() -> ApiError {
    ApiError::invalid("请求重入时，参数与首次请求时不一致，请核对后再试").internal("268498688")
}

/// 404 RESOURCE_NOT_EXISTS.
pub(super) fn missing(message: &'static str) -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "RESOURCE_NOT_EXISTS", message)
}
