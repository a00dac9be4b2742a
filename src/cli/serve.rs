//! `fengate serve`: logs, threads, start, and the end on SIGTERM or Ctrl-C.

use std::io::IsTerminal;

use anyhow::Context;
use clap::ValueEnum;
use tracing_subscriber::EnvFilter;

use super::{say, welcome};
use crate::app::App;
use crate::clock::Clock;
use crate::routes::Routes;

/// How logs are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum LogFormat {
    /// A line a person reads.
    Text,
    /// A line a machine reads.
    Json,
}

/// Serves until it is told to end.
pub(super) fn serve(routes: Routes, log: LogFormat) -> anyhow::Result<()> {
    start_logs(log);
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    if let Some(workers) = routes.server.workers {
        builder.worker_threads(workers);
    }
    let runtime = builder.enable_all().build().context("no threads to serve with")?;
    runtime.block_on(async {
        let demo = routes.merchants.iter().any(|merchant| merchant.demo);
        let model = routes.models.first().map(|model| model.name.clone()).unwrap_or_default();
        let app = App::start(routes, Clock::system()).await?;
        say(&welcome::text(&app, demo, &model));
        let signal = told_to_end().await?;
        tracing::info!(signal, "draining: nothing new starts, open streams and payments end");
        tokio::select! {
            in_time = app.drain() => tracing::info!(in_time, "ended"),
            again = told_to_end() => tracing::warn!(signal = again?, "told twice: ended at once; the next start picks up what was under way"),
        }
        Ok(())
    })
}

/// Waits for SIGTERM or Ctrl-C.
pub(super) async fn told_to_end() -> anyhow::Result<&'static str> {
    let mut term = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).context("SIGTERM cannot be heard")?;
    tokio::select! {
        _ = term.recv() => Ok("SIGTERM"),
        interrupted = tokio::signal::ctrl_c() => interrupted.map(|()| "SIGINT").context("SIGINT cannot be heard"),
    }
}

/// Logs go to stderr; `FENGATE_LOG` says how much.
pub(super) fn start_logs(format: LogFormat) {
    let filter = EnvFilter::try_from_env("FENGATE_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        LogFormat::Text => logs.compact().with_ansi(std::io::stderr().is_terminal()).init(),
        LogFormat::Json => logs.json().flatten_event(true).init(),
    }
}
