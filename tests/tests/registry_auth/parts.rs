//! The registry and its certificates.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use skiff_tests::Daemon;

/// An address of the daemon's network namespace that is not loopback, where plain HTTP is not allowed.
pub(crate) const ADDRESS: &str = "10.99.99.1";
/// Who may do everything.
pub(crate) const USER: &str = "skipper";
/// Their password.
pub(crate) const PASSWORD: &str = "one-if-by-land";
/// The line of htpasswd for both: bcrypt, which is all that the registry takes.
const HTPASSWD: &str = "skipper:$2b$05$abcdefghijklmnopqrstuuobbwEsXdCz0vMLR5cNq.y.XXusgCsNK";

/// An authority of our own, and a certificate for [`ADDRESS`] that it vouches for.
pub(crate) struct Certificates(tempfile::TempDir);

impl Certificates {
    pub(crate) fn new() -> Self {
        let this = Self(tempfile::tempdir().unwrap());
        let path = |name: &str| this.path(name).display().to_string();
        let (key, ca) = (path("ca.key"), path("authority/ca.crt"));
        fs::create_dir_all(this.path("authority")).unwrap();
        let new = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj"];
        openssl(&[&new[..], &["/CN=test authority", "-keyout", &key, "-out", &ca]].concat());
        let (own, request, cert) = (path("registry.key"), path("registry.csr"), path("registry.crt"));
        openssl(&["req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=registry", "-keyout", &own, "-out", &request]);
        let names = path("names");
        fs::write(&names, format!("subjectAltName=IP:{ADDRESS}\n")).unwrap();
        let sign = ["x509", "-req", "-days", "2", "-in", &request, "-CA", &ca, "-CAkey", &key, "-CAcreateserial"];
        openssl(&[&sign[..], &["-extfile", &names, "-out", &cert]].concat());
        this
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The daemon's directory of certificates, one directory for each registry.
    pub(crate) fn directory(&self) -> &Path {
        self.0.path()
    }

    /// The same certificate for a server in this process.
    pub(crate) fn server(&self) -> Arc<ServerConfig> {
        let certificate = CertificateDer::from_pem_file(self.path("registry.crt")).unwrap();
        let key = PrivateKeyDer::from_pem_file(self.path("registry.key")).unwrap();
        Arc::new(ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate], key).unwrap())
    }

    /// A directory with only the authority's certificate: what skopeo wants.
    pub(crate) fn authority(&self) -> String {
        self.path("authority").display().to_string()
    }

    /// Makes the daemon trust the registry at this address.
    fn vouch(&self, address: &str) {
        let directory = self.path(address);
        fs::create_dir_all(&directory).unwrap();
        fs::copy(self.path("authority/ca.crt"), directory.join("ca.crt")).unwrap();
    }

    /// Gives the daemon a certificate to show to the registry at this address.
    pub(crate) fn introduce(&self, address: &str) {
        for (from, to) in [("registry.crt", "client.cert"), ("registry.key", "client.key")] {
            fs::copy(self.path(from), self.path(address).join(to)).unwrap();
        }
    }

    /// The registry's side when it wants to see a certificate of who asks.
    pub(crate) fn mutual(&self) -> String {
        let (cert, key, authority) =
            (self.path("registry.crt"), self.path("registry.key"), self.path("authority/ca.crt"));
        format!(
            "  tls: {{certificate: {}, key: {}, clientcas: [{}]}}\n",
            cert.display(),
            key.display(),
            authority.display()
        )
    }

    /// The registry's side: lines of its configuration.
    pub(crate) fn registry(&self) -> String {
        let (cert, key) = (self.path("registry.crt"), self.path("registry.key"));
        format!("  tls: {{certificate: {}, key: {}}}\n", cert.display(), key.display())
    }
}

pub(crate) fn openssl(arguments: &[&str]) {
    let output = Command::new("openssl").args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("openssl: {error}. It is in the Debian package openssl."));
    assert!(output.status.success(), "openssl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// docker-registry in the daemon's network namespace, ended on drop.
pub(crate) struct Served {
    child: Child,
    directory: tempfile::TempDir,
    pub(crate) address: String,
}

impl Served {
    /// The configuration for passwords. `DIRECTORY` becomes the registry's own.
    pub(crate) fn htpasswd() -> String {
        "auth: {htpasswd: {realm: here, path: DIRECTORY/htpasswd}}\n".to_owned()
    }

    /// Starts it with these lines for its HTTP server and for its authentication.
    pub(crate) fn start(daemon: &Daemon, http: &str, auth: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        // Free outside, and nobody else is inside.
        let port = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).unwrap().port();
        let address = format!("{ADDRESS}:{port}");
        let place = directory.path().display().to_string();
        let text = format!(
            "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: DIRECTORY/data}}}}\nhttp:\n  \
             addr: {address}\n{http}{auth}"
        );
        let config = directory.path().join("registry.yml");
        fs::write(&config, text.replace("DIRECTORY", &place)).unwrap();
        fs::write(directory.path().join("htpasswd"), format!("{HTPASSWD}\n")).unwrap();
        let mut command = Command::new("nsenter");
        command.args(["--net", "--target", &daemon.pid().to_string(), "docker-registry", "serve"]).arg(&config);
        let log = fs::File::create(directory.path().join("log")).unwrap();
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        let mut served = Self { child, directory, address };
        served.wait(daemon);
        served
    }

    /// Whoever listens may want a certificate before anything else, so nothing is asked here.
    fn wait(&mut self, daemon: &Daemon) {
        let end = Instant::now() + Duration::from_mins(1);
        let connect = format!("</dev/tcp/{}", self.address.replace(':', "/"));
        while daemon.on_host(&["bash", "-c", &connect]).code != 0 {
            let log = fs::read_to_string(self.directory.path().join("log")).unwrap_or_default();
            assert!(self.child.try_wait().unwrap().is_none(), "docker-registry has ended:\n{log}");
            assert!(Instant::now() < end, "docker-registry does not listen on {}:\n{log}", self.address);
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Makes the daemon that reads these certificates trust it.
    pub(crate) fn trusted(self, certificates: &Certificates) -> Self {
        certificates.vouch(&self.address);
        self
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _already_gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}
