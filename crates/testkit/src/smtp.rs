//! A mail server that keeps what it is sent, speaking SMTP as RFC 5321 has it, with STARTTLS where it has a certificate.
//!
//! It takes every mail, but for those that it was told to put off ([`MailServer::refuse`]): then it answers 451, as a server does that wants to be asked
//! again.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::{ServerConfig, crypto};
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// A mail as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// Of the envelope.
    pub from: String,
    /// Of the envelope.
    pub to: Vec<String>,
    /// Headers and body, lines ended by `\n`, dots unstuffed.
    pub text: String,
    /// Whether it came over TLS.
    pub encrypted: bool,
}

/// A mail server on a port of its own; it ends with this value.
#[derive(Debug)]
pub struct MailServer {
    port: u16,
    certificate: Option<PathBuf>,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Shared {
    mails: Mutex<Vec<Mail>>,
    refuse: AtomicUsize,
}

impl Drop for MailServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl MailServer {
    /// One that speaks plainly.
    ///
    /// # Panics
    /// When there is no port.
    pub async fn start() -> Self {
        Self::listen(None, None).await
    }

    /// One that takes mail over TLS only, after STARTTLS, with a certificate for `localhost` that is written into `folder`.
    ///
    /// # Panics
    /// When there is no port, or the certificate can't be made.
    pub async fn start_tls(folder: &Path) -> Self {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
        let path = folder.join("mail-server.pem");
        std::fs::write(&path, cert.pem()).expect("written");
        let key = PrivatePkcs8KeyDer::from(signing_key.serialize_der()).into();
        let config = ServerConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring speaks TLS")
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key)
            .expect("its own key");
        Self::listen(Some(TlsAcceptor::from(Arc::new(config))), Some(path)).await
    }

    async fn listen(tls: Option<TlsAcceptor>, certificate: Option<PathBuf>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let shared = Arc::new(Shared::default());
        let of_task = Arc::clone(&shared);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (shared, tls) = (Arc::clone(&of_task), tls.clone());
                // A client that breaks off has sent nothing.
                tokio::spawn(async move { drop(serve(stream, tls, &shared).await) });
            }
        });
        Self { port, certificate, shared, task }
    }

    /// How a client reaches it.
    #[must_use]
    pub fn url(&self) -> String {
        let tls = if self.certificate.is_some() { "?tls=required" } else { "" };
        format!("smtp://localhost:{}{tls}", self.port)
    }

    /// The file with its certificate, to be trusted.
    #[must_use]
    pub fn certificate(&self) -> Option<&Path> {
        self.certificate.as_deref()
    }

    /// Puts off the next mails.
    pub fn refuse(&self, mails: usize) {
        self.shared.refuse.store(mails, Ordering::SeqCst);
    }

    /// How many are still to be put off.
    #[must_use]
    pub fn to_refuse(&self) -> usize {
        self.shared.refuse.load(Ordering::SeqCst)
    }

    /// What it was sent, in order.
    #[must_use]
    pub fn mails(&self) -> Vec<Mail> {
        self.shared.mails.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn serve(stream: TcpStream, tls: Option<TlsAcceptor>, shared: &Shared) -> std::io::Result<()> {
    let mut plain = BufReader::new(stream);
    plain.write_all(b"220 localhost test ESMTP\r\n").await?;
    let Some(acceptor) = tls else { return session(plain, false, false, shared).await.map(|_| ()) };
    if session(&mut plain, false, true, shared).await? {
        let encrypted = acceptor.accept(plain.into_inner()).await?;
        session(BufReader::new(encrypted), true, false, shared).await?;
    }
    Ok(())
}

/// Speaks until the client goes, or says STARTTLS (true).
async fn session<S>(mut stream: S, encrypted: bool, wants_tls: bool, shared: &Shared) -> std::io::Result<bool>
where
    S: AsyncBufRead + AsyncRead + AsyncWrite + Unpin,
{
    let (mut from, mut to) = (String::new(), Vec::new());
    let mut line = String::new();
    loop {
        line.clear();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(false);
        }
        let verb = line.split_whitespace().next().unwrap_or_default().to_ascii_uppercase();
        let answer: &[u8] = match verb.as_str() {
            "EHLO" if wants_tls => b"250-localhost\r\n250 STARTTLS\r\n",
            "EHLO" | "HELO" | "RSET" | "NOOP" => b"250 localhost\r\n",
            "STARTTLS" if wants_tls => {
                stream.write_all(b"220 go ahead\r\n").await?;
                stream.flush().await?;
                return Ok(true);
            }
            "MAIL" if wants_tls => b"530 STARTTLS first\r\n",
            "MAIL" => {
                (from, to) = (address(&line), Vec::new());
                b"250 ok\r\n"
            }
            "RCPT" => {
                to.push(address(&line));
                b"250 ok\r\n"
            }
            "DATA" => {
                stream.write_all(b"354 go ahead\r\n").await?;
                stream.flush().await?;
                let text = data(&mut stream).await?;
                let put_off = shared.refuse.try_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
                if put_off.is_ok() {
                    b"451 later\r\n"
                } else {
                    let mail = Mail { from: from.clone(), to: to.clone(), text, encrypted };
                    shared.mails.lock().unwrap_or_else(PoisonError::into_inner).push(mail);
                    b"250 taken\r\n"
                }
            }
            "QUIT" => {
                stream.write_all(b"221 bye\r\n").await?;
                stream.flush().await?;
                return Ok(false);
            }
            _ => b"502 not here\r\n",
        };
        stream.write_all(answer).await?;
        stream.flush().await?;
    }
}

async fn data<S: AsyncBufRead + Unpin>(stream: &mut S) -> std::io::Result<String> {
    let mut text = String::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        match line.trim_end_matches(['\r', '\n']) {
            "." => return Ok(text),
            line => {
                text.push_str(line.strip_prefix('.').unwrap_or(line));
                text.push('\n');
            }
        }
    }
}

/// What stands between `<` and `>`.
fn address(line: &str) -> String {
    let inner = line.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
    inner.map_or_else(String::new, |(address, _)| address.to_owned())
}
