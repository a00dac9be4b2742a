//! The vendor's self test: says back what it was told, a sealed message too, and calls back if it is told where.

use serde::{Deserialize, Serialize};

use super::super::super::advice::Failed;
use super::super::call::{Call, Operation};
use super::super::fields::SealedField;
use super::super::retry::Nature;
use super::Products;

const ECHO: Operation = Operation::new("echo", Nature::Read);

/// What is to be said back.
#[derive(Clone, Copy, Debug)]
pub struct Echo<'a> {
    /// In the open.
    pub message: &'a str,
    /// Sealed both ways.
    pub secret: Option<&'a str>,
    /// Where a test notice goes.
    pub notify_url: Option<&'a str>,
}

/// What was said back.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Echoed {
    /// In the open.
    pub echo_message: String,
    /// Sealed for the merchant: [`crate::connectors::Connector::open_field`] opens it.
    #[serde(default, rename = "encrypted_echo_message")]
    pub secret: Option<String>,
}

#[derive(Serialize)]
struct Fields<'a> {
    echo_message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    encrypted_echo_message: Option<SealedField>,
    #[serde(skip_serializing_if = "Option::is_none")]
    notify_url: Option<&'a str>,
}

impl Products<'_> {
    /// Tests keys and ways, in both directions.
    pub async fn echo(&self, echo: &Echo<'_>) -> Result<Call<Echoed>, Failed> {
        let sealer = self.0.sealer_for(true).await?;
        let fields = Fields { echo_message: echo.message, encrypted_echo_message: sealer.seal(echo.secret)?, notify_url: echo.notify_url };
        Ok(Call::post(ECHO, "/v3/security/echo".to_owned(), &fields).sealed_by(&sealer))
    }
}
