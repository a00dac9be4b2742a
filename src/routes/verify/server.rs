//! `[server]`, `[ledger]` and `[sandbox]`.

use std::net::SocketAddr;
use std::path::PathBuf;

use http::Uri;

use super::super::faults::Collector;
use super::super::raw::{File, LedgerTable, SandboxTable as RawSandbox, Text};
use super::super::secret::Source;
use super::super::{SandboxPlatform, SandboxTable, Server};

const BODY_BYTES_MAX: u64 = 4 * 1024 * 1024;
const DRAIN_MS: u64 = 20_000;
const CONNECTIONS_MAX: u64 = 4_096;

/// By default; and never more than half of all, so that no address shuts the others out.
const CONNECTIONS_PER_ADDRESS_MAX: u64 = 1_024;

/// `[server]`
pub(super) fn server(file: &File, faults: &mut Collector<'_>) -> Option<Server> {
    let table = &file.server;
    let listen = address(table.listen.as_ref(), "127.0.0.1:8080", faults);
    let admin = address(table.admin.as_ref(), "127.0.0.1:9090", faults);
    let sandbox = file.sandbox.as_ref().and_then(|sandbox| address(sandbox.listen.as_ref(), "127.0.0.1:8081", &mut Collector::new("")));
    let sandbox_text = file.sandbox.as_ref().and_then(|sandbox| sandbox.listen.as_ref());
    differ([(listen, table.listen.as_ref()), (admin, table.admin.as_ref()), (sandbox, sandbox_text)], faults);
    let count = |value: Option<&serde_spanned::Spanned<u64>>, default: u64, range: std::ops::RangeInclusive<u64>, faults: &mut Collector<'_>| {
        let found = value.map_or(default, |value| *value.get_ref());
        if let Some(value) = value.filter(|_| !range.contains(&found)) {
            faults.at(value.span(), format!("must be from {} to {}", range.start(), range.end()));
        }
        usize::try_from(found).unwrap_or(usize::MAX)
    };
    let body_bytes_max = count(table.body_bytes_max.as_ref(), BODY_BYTES_MAX, 1_024..=256 * 1024 * 1024, faults);
    let connections_max = count(table.connections_max.as_ref(), CONNECTIONS_MAX, 1..=1_000_000, faults);
    let most = u64::try_from(connections_max).unwrap_or(u64::MAX);
    let of_one = CONNECTIONS_PER_ADDRESS_MAX.min(most.div_ceil(2));
    let connections_per_address_max = count(table.connections_per_address_max.as_ref(), of_one, 1..=most.max(1), faults);
    let workers = table.workers.as_ref().map(|workers| count(Some(workers), 1, 1..=256, faults));
    Some(Server {
        listen: listen?,
        admin: admin?,
        public_url: table.public_url.as_ref().and_then(|url| public_url(url, faults)),
        body_bytes_max,
        drain_ms: table.drain_ms.unwrap_or(DRAIN_MS),
        connections_max,
        connections_per_address_max,
        workers,
    })
}

/// No listener may have another's address; the fault has the line of the later one that is written.
fn differ(listeners: [(Option<SocketAddr>, Option<&Text>); 3], faults: &mut Collector<'_>) {
    let clash = |one: SocketAddr, other: SocketAddr| {
        one.port() != 0 && one.port() == other.port() && (one.ip() == other.ip() || one.ip().is_unspecified() || other.ip().is_unspecified())
    };
    for (n, (other, written)) in listeners.iter().enumerate() {
        let earlier = listeners.iter().take(n).find(|(one, _)| one.zip(*other).is_some_and(|(one, other)| clash(one, other)));
        let Some((_, earlier)) = earlier else { continue };
        let what = "two listeners have the same address: [server] listen, [server] admin and [sandbox] listen must differ";
        match written.or(*earlier) {
            Some(text) => faults.at(text.span(), what),
            None => faults.whole(what),
        }
    }
}

/// `[ledger]`; a relative path counts from the file's folder.
pub(super) fn ledger(table: Option<&LedgerTable>, source: &Source<'_>, faults: &mut Collector<'_>) -> String {
    let url = table.map_or("sqlite:fengate.db", |table| table.url.get_ref().as_str());
    // What SQLite would take for a ledger in memory, or for a host, is no path.
    let is_path = |path: &&str| {
        !path.is_empty() && !path.starts_with(":") && !path.starts_with("file:") && (!path.starts_with("//") || path.starts_with("///"))
    };
    let path = url.strip_prefix("sqlite:").filter(is_path);
    if let (None, Some(table)) = (path, table) {
        faults.at(table.url.span(), "url must be \"sqlite:PATH\", a file on this machine");
    }
    format!("sqlite:{}", source.dir.join(path.unwrap_or("fengate.db")).display())
}

/// `[sandbox]`
pub(super) fn sandbox(table: &RawSandbox, source: &Source<'_>, faults: &mut Collector<'_>) -> Option<SandboxTable> {
    let listen = address(table.listen.as_ref(), "127.0.0.1:8081", faults);
    let divisor = table.callback_time_divisor.as_ref();
    if let Some(divisor) = divisor.filter(|divisor| *divisor.get_ref() == 0) {
        faults.at(divisor.span(), "must be 1 (WeChat Pay's own times) or more");
    }
    let platform = match table.platform.as_ref().map(|word| word.get_ref().as_str()) {
        None | Some("certificates") => SandboxPlatform::Certificates,
        Some("public_key") => SandboxPlatform::PublicKey,
        Some(_) => {
            faults.at(table.platform.as_ref().map(Text::span).unwrap_or_default(), "platform must be \"certificates\" or \"public_key\"");
            SandboxPlatform::Certificates
        }
    };
    let dir = source.dir.join(table.dir.as_deref().map_or_else(|| PathBuf::from("sandbox"), PathBuf::from));
    Some(SandboxTable { listen: listen?, dir, callback_time_divisor: divisor.map_or(1, |divisor| *divisor.get_ref()).max(1), platform })
}

fn address(text: Option<&Text>, default: &str, faults: &mut Collector<'_>) -> Option<SocketAddr> {
    let Some(text) = text else { return default.parse().ok() };
    let address = text.get_ref().parse().ok();
    if address.is_none() {
        faults.at(text.span(), format!("`{}` is no address; write it as 127.0.0.1:8080", text.get_ref()));
    }
    address
}

fn public_url(text: &Text, faults: &mut Collector<'_>) -> Option<String> {
    let url = text.get_ref();
    let parsed: Option<Uri> = url.parse().ok();
    let fine = parsed.is_some_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https"))
            && uri.authority().is_some()
            && uri.path() == "/"
            && uri.query().is_none()
            && !url.ends_with('/')
    });
    if !fine {
        faults.at(text.span(), "public_url must be http(s)://host[:port] with nothing behind it");
    }
    fine.then(|| url.clone())
}
