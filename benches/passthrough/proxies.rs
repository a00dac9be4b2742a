//! The proxies under test: started on core 0, each with one worker; their processor time and memory as the system accounts them.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, ensure};

/// A running proxy; ended when dropped.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    child: Child,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Puts this process, and what it starts without saying otherwise, on one core.
pub(crate) fn pin_self_to(core: u32) -> anyhow::Result<()> {
    let pinned = Command::new("taskset").args(["-a", "-p", "-c", &core.to_string(), &std::process::id().to_string()]).stdout(Stdio::null()).status();
    ensure!(pinned.context("taskset is needed: apt-get install util-linux")?.success(), "this process cannot be pinned: two cores are needed");
    Ok(())
}

fn free_port() -> anyhow::Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

fn on_core_0(program: &str) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", "0", program]).stdin(Stdio::null()).stdout(Stdio::null());
    command
}

impl Proxy {
    /// Debian's nginx as a reverse proxy as one would write it: connections to the upstream kept, nothing buffered.
    pub(crate) async fn nginx(dir: &Path, upstream: SocketAddr) -> anyhow::Result<Self> {
        let port = free_port()?;
        let conf = dir.join("nginx.conf");
        let here = dir.display();
        std::fs::write(
            &conf,
            format!(
                "daemon off; master_process off; worker_processes 1; pid {here}/nginx.pid; error_log {here}/nginx.log warn;
events {{ worker_connections 8192; }}
http {{ access_log off; client_body_temp_path {here}/b; proxy_temp_path {here}/p; fastcgi_temp_path {here}/f; uwsgi_temp_path {here}/u; scgi_temp_path {here}/s;
  keepalive_requests 10000000; tcp_nodelay on;
  upstream model {{ server {upstream}; keepalive 1024; keepalive_requests 10000000; }}
  server {{ listen 127.0.0.1:{port} backlog=4096; location / {{ proxy_pass http://model; proxy_http_version 1.1; proxy_set_header Connection \"\"; proxy_buffering off; }} }} }}"
            ),
        )?;
        let child = on_core_0("nginx").arg("-c").arg(&conf).stderr(Stdio::null()).spawn()?;
        Self { address: SocketAddr::from(([127, 0, 0, 1], port)), child }.answering().await
    }

    /// fengate as it ships, one worker thread, with these tables beside `[server]`; files they name lie in `dir`.
    pub(crate) async fn fengate(dir: &Path, log: &str, tables: &str) -> anyhow::Result<Self> {
        let port = free_port()?;
        let routes = dir.join(format!("routes-{log}.toml"));
        let ledger = dir.join(format!("ledger-{log}.db"));
        std::fs::write(
            &routes,
            format!(
                "[server]\nlisten = \"127.0.0.1:{port}\"\nadmin = \"127.0.0.1:0\"\nworkers = 1\n[ledger]\nurl = \"sqlite:{}\"\n{tables}",
                ledger.display()
            ),
        )?;
        let stderr = std::fs::File::create(dir.join(format!("log-{log}.txt")))?;
        let child = on_core_0(env!("CARGO_BIN_EXE_fengate")).arg("--config").arg(&routes).env("FENGATE_LOG", log).stderr(stderr).spawn()?;
        Self { address: SocketAddr::from(([127, 0, 0, 1], port)), child }.answering().await
    }

    async fn answering(mut self) -> anyhow::Result<Self> {
        for _ in 0..500 {
            if tokio::net::TcpStream::connect(self.address).await.is_ok() {
                return Ok(self);
            }
            ensure!(self.child.try_wait()?.is_none(), "the proxy ended at once");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        anyhow::bail!("the proxy does not answer at {}", self.address)
    }

    /// Processor time used so far, in microseconds, the kernel's work for it included.
    pub(crate) fn cpu_us(&self) -> anyhow::Result<u64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks = |n: usize| fields.get(n).and_then(|field| field.parse::<u64>().ok()).context("the process's times");
        Ok((ticks(11)? + ticks(12)?) * 10_000)
    }

    /// Memory the process holds, in KiB.
    pub(crate) fn rss_kib(&self) -> anyhow::Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        line.split_whitespace().next().and_then(|kib| kib.parse().ok()).context("no number")
    }
}
