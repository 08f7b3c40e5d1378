//! Registries that want to know who asks: Debian's docker-registry over HTTPS with passwords, and with tokens from a service
//! that this test provides. Pushed and pulled by skiff, by docker through skiffd, and by skopeo; all agree on every digest.
//!
//! Read `parts.rs` first: the registry, its certificates; then `tokens.rs`: the token service.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod parts;
mod tokens;

use std::fs;

use parts::{ADDRESS, PASSWORD, Served, USER};
use skiff_tests::{Daemon, Ran, run};

/// A daemon that trusts our authority, on a machine whose name service is this file's `ADDRESS`.
fn daemon(certificates: &parts::Certificates) -> Daemon {
    let directory = certificates.directory().display().to_string();
    let daemon = Daemon::bare(&["--registry-certs", &directory]);
    daemon.on_host(&["ip", "address", "add", &format!("{ADDRESS}/32"), "dev", "lo"]).ok();
    let tar = skiff_tests::busybox_tar().display().to_string();
    daemon.skiff(&["import", "--change", "CMD [\"sh\"]", &tar, "busybox:latest"]).ok();
    daemon
}

fn login(daemon: &Daemon, client: &str, registry: &str, password: &str) -> Ran {
    run(&mut daemon.command(client, &["login", "--username", USER, "--password-stdin", registry]), password.as_bytes())
}

/// Pushes by `sender`, pulls by both clients and by skopeo, and compares.
fn round_trip(daemon: &Daemon, sender: &str, registry: &str, skopeo: &[&str]) {
    let name = format!("{registry}/team/{sender}:v1");
    daemon.skiff(&["tag", "busybox:latest", &name]).ok();
    let pushed = run(&mut daemon.command(sender, &["push", &name]), b"");
    let said = pushed.ok().lines().last().unwrap_or_default().to_owned();
    let digest = said.split_whitespace().find(|word| word.starts_with("sha256:")).unwrap_or_default().to_owned();
    assert!(said.starts_with(&format!("v1: digest: {digest} size: ")), "{pushed}");

    let remote = format!("docker://{name}");
    let inspect = [&["skopeo", "inspect", "--format", "{{.Digest}}"], skopeo, &[&remote]].concat();
    assert_eq!(daemon.on_host(&inspect).ok(), digest, "skopeo sees another digest");
    let id = daemon.skiff(&["inspect", "--format", "{{.Id}}", "busybox:latest"]).ok().to_owned();
    for client in ["skiff", "docker"] {
        daemon.skiff(&["rmi", &name]).ok();
        let pulled = run(&mut daemon.command(client, &["pull", &name]), b"");
        assert!(pulled.ok().contains(&format!("Digest: {digest}")), "{pulled}");
        assert_eq!(daemon.skiff(&["inspect", "--format", "{{.Id}}", &name]).ok(), id);
    }
    daemon.skiff(&["rmi", &name]).ok();
}

/// A Debian goes to the registry and comes back: to skopeo, to docker through skiffd, to skiff. All have the same image.
fn whole_debian(daemon: &Daemon, registry: &str, skopeo: &[&str]) {
    let name = format!("{registry}/team/debian:12");
    let tar = skiff_tests::debian_tar().display().to_string();
    daemon.skiff(&["import", "--change", "CMD [\"bash\"]", &tar, &name]).ok();
    let id = daemon.skiff(&["inspect", "--format", "{{.Id}}", &name]).ok().to_owned();
    let pushed = daemon.docker(&["push", &name]);
    let digest =
        pushed.ok().lines().last().unwrap().split(' ').find(|word| word.starts_with("sha256:")).unwrap().to_owned();

    let layout = format!("dir:{}", daemon.directory().join("pulled-by-skopeo").display());
    let options: Vec<String> = skopeo.iter().map(|word| word.replace("--", "--src-")).collect();
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let remote = format!("docker://{name}");
    daemon.on_host(&[&["skopeo", "copy", "--quiet"], &options[..], &[&remote, &layout]].concat()).ok();
    assert_eq!(daemon.on_host(&["skopeo", "inspect", "--format", "{{.Digest}}", &layout]).ok(), digest);
    for client in ["docker", "skiff"] {
        daemon.skiff(&["rmi", &name]).ok();
        let pulled = run(&mut daemon.command(client, &["pull", &name]), b"");
        assert!(pulled.ok().contains(&format!("Digest: {digest}")), "{pulled}");
        assert_eq!(daemon.skiff(&["inspect", "--format", "{{.Id}}", &name]).ok(), id);
    }
    let ran = daemon.docker(&["run", "--rm", "--network", "none", &name, "cat", "/etc/debian_version"]);
    assert!(ran.ok().starts_with("12."), "{ran}");
    daemon.skiff(&["rmi", &name]).ok();
}

#[test]
fn passwords_over_https() {
    let certificates = parts::Certificates::new();
    let daemon = daemon(&certificates);
    let registry = Served::start(&daemon, &certificates.registry(), &Served::htpasswd()).trusted(&certificates);
    let address = &registry.address;
    let name = format!("{address}/team/app:v1");

    // Nobody may neither push nor pull; a wrong password is told at the login and not kept.
    daemon.skiff(&["tag", "busybox:latest", &name]).ok();
    daemon.skiff(&["push", &name]).fails(1, "denied: requested access").fails(1, "hint: Is the name right?");
    daemon.skiff(&["rmi", &name]).ok();
    daemon.skiff(&["pull", &name]).fails(1, "pull access denied");
    for client in ["skiff", "docker"] {
        login(&daemon, client, address, "wrong").fails(1, "failed with status: 401 Unauthorized");
    }
    assert!(!fs::exists(daemon.directory().join("client/config.json")).unwrap());

    // docker's login is ours and the other way round: it is the same file.
    for (client, other) in [("skiff", "docker"), ("docker", "skiff")] {
        assert_eq!(login(&daemon, client, address, PASSWORD).ok().lines().last(), Some("Login Succeeded"));
        let credentials = format!("{USER}:{PASSWORD}");
        let skopeo = ["--creds", &credentials, "--cert-dir", &certificates.authority()];
        round_trip(&daemon, client, address, &skopeo);
        round_trip(&daemon, other, address, &skopeo);
        let removed = run(&mut daemon.command(other, &["logout", address]), b"");
        assert!(removed.ok().contains("Removing login credentials for"), "{removed}");
        daemon.skiff(&["pull", &format!("{address}/team/{client}:v1")]).fails(1, "pull access denied");
    }
    login(&daemon, "docker", address, PASSWORD).ok();
    whole_debian(
        &daemon,
        address,
        &["--creds", &format!("{USER}:{PASSWORD}"), "--cert-dir", &certificates.authority()],
    );
    // The password is in no log, however the request ended.
    assert!(!daemon.log().contains(PASSWORD));
    drop(registry);
    daemon.finish();
}

#[test]
fn a_registry_that_nobody_vouches_for_is_refused() {
    let (ours, others) = (parts::Certificates::new(), parts::Certificates::new());
    let daemon = daemon(&others);
    let registry = Served::start(&daemon, &ours.registry(), "");
    let name = format!("{}/app", registry.address);
    daemon.skiff(&["pull", &name]).fails(1, "certificate").fails(1, "hint: ");
    drop(registry);
    daemon.finish();
}

/// A registry that lets in only who shows a certificate: docker's `client.cert` and `client.key`, beside the authority's.
#[test]
fn a_certificate_of_our_own() {
    let certificates = parts::Certificates::new();
    let daemon = daemon(&certificates);
    let registry = Served::start(&daemon, &certificates.mutual(), "").trusted(&certificates);
    let name = format!("{}/team/app:v1", registry.address);
    daemon.skiff(&["tag", "busybox:latest", &name]).ok();
    daemon.skiff(&["push", &name]).fails(1, "received fatal alert").fails(1, "client.cert");
    certificates.introduce(&registry.address);
    for client in ["skiff", "docker"] {
        run(&mut daemon.command(client, &["push", &name]), b"").ok();
        daemon.skiff(&["rmi", &name]).ok();
        run(&mut daemon.command(client, &["pull", &name]), b"").ok();
    }
    drop(registry);
    daemon.finish();
}

/// A program that keeps the passwords, named in docker's configuration: ours asks it as docker does.
#[test]
fn a_credential_helper_keeps_the_password() {
    use std::os::unix::fs::PermissionsExt as _;
    let certificates = parts::Certificates::new();
    let daemon = daemon(&certificates);
    let registry = Served::start(&daemon, &certificates.registry(), &Served::htpasswd()).trusted(&certificates);
    let (address, kept) = (&registry.address, certificates.path("kept"));
    let helper = certificates.path("bin/docker-credential-drawer");
    fs::create_dir_all(helper.parent().unwrap()).unwrap();
    let script = format!(
        "#!/bin/sh\ncd {}\necho $1 >> asked\ncase $1 in\nstore) cat > kept;;\nerase) rm -f kept;;\n\
         get) if [ -e kept ]; then cat kept; else echo credentials not found in native keychain; exit 1; fi;;\nesac\n",
        certificates.directory().display()
    );
    fs::write(&helper, script).unwrap();
    fs::set_permissions(&helper, fs::Permissions::from_mode(0o755)).unwrap();
    let client = daemon.directory().join("client");
    fs::create_dir_all(&client).unwrap();
    fs::write(client.join("config.json"), r#"{"credsStore":"drawer"}"#).unwrap();
    let path = format!("{}:{}", helper.parent().unwrap().display(), std::env::var("PATH").unwrap());
    let ran = |client: &str, words: &[&str], input: &str| {
        run(daemon.command(client, words).env("PATH", &path), input.as_bytes())
    };
    let name = format!("{address}/team/app:v1");
    daemon.skiff(&["tag", "busybox:latest", &name]).ok();
    for (client, other) in [("skiff", "docker"), ("docker", "skiff")] {
        ran(client, &["push", &name], "").fails(1, "denied");
        ran(client, &["login", "--username", USER, "--password-stdin", address], PASSWORD).ok();
        let secret = fs::read_to_string(&kept).unwrap();
        assert!(secret.contains(PASSWORD) && secret.contains(address.as_str()), "{secret}");
        ran(other, &["push", &name], "").ok();
        ran(other, &["pull", &name], "").ok();
        ran(other, &["logout", address], "").ok();
        assert!(!kept.exists(), "the helper was not asked to forget");
    }
    let config = fs::read_to_string(daemon.directory().join("client/config.json")).unwrap();
    assert!(!config.contains(PASSWORD) && config.contains("drawer"), "{config}");
    // A helper that is missing is told, and nobody's name is used in its place (CVE-2021-41092).
    run(&mut daemon.command("skiff", &["push", &name]), b"").fails(1, "docker-credential-drawer");
    drop(registry);
    daemon.finish();
}

#[test]
fn tokens_by_scope() {
    let certificates = parts::Certificates::new();
    let daemon = daemon(&certificates);
    let service = tokens::Service::start(&daemon, &certificates);
    let registry = Served::start(&daemon, &certificates.registry(), &service.registry());
    let registry = registry.trusted(&certificates);
    let address = &registry.address;

    daemon.skiff(&["tag", "busybox:latest", &format!("{address}/team/app:v1")]).ok();
    daemon.skiff(&["push", &format!("{address}/team/app:v1")]).fails(1, "denied");
    login(&daemon, "skiff", address, "wrong").fails(1, &format!("Get \"https://{ADDRESS}:"));
    // The service gives out a refresh token, and the password is kept nowhere.
    login(&daemon, "skiff", address, PASSWORD).ok();
    let kept = fs::read_to_string(daemon.directory().join("client/config.json")).unwrap();
    assert!(kept.contains("identitytoken") && !kept.contains(PASSWORD), "{kept}");
    let credentials = format!("{USER}:{PASSWORD}");
    let skopeo = ["--creds", &credentials, "--cert-dir", &certificates.authority()];
    round_trip(&daemon, "skiff", address, &skopeo);
    round_trip(&daemon, "docker", address, &skopeo);

    // A layer is taken over from the other repository, for which the token must be good too.
    let other = format!("{address}/other/app:v1");
    let first = format!("{address}/team/skiff:v1");
    daemon.skiff(&["pull", &first]).ok();
    daemon.skiff(&["tag", "busybox:latest", &other]).ok();
    let pushed = daemon.skiff(&["push", &other]);
    assert!(pushed.ok().contains("Mounted from team/"), "{pushed}\n{:?}", service.asked());
    let asked = service.asked();
    assert!(asked.iter().any(|scopes| scopes.contains("other/app:pull,push") && scopes.contains("team/")), "{asked:?}");
    assert!(asked.iter().any(|scopes| scopes == "repository:team/skiff:pull"), "{asked:?}");

    // All tags, both ways; and what the registry says without being asked for the image.
    for tag in ["v2", "v3"] {
        daemon.skiff(&["tag", "busybox:latest", &format!("{address}/team/all:{tag}")]).ok();
    }
    let pushed = daemon.skiff(&["push", "--all-tags", &format!("{address}/team/all")]);
    assert!(pushed.ok().contains("v2: digest: ") && pushed.stdout.contains("v3: digest: "), "{pushed}");
    daemon.skiff(&["rmi", &format!("{address}/team/all:v2"), &format!("{address}/team/all:v3")]).ok();
    let pulled = daemon.docker(&["pull", "--all-tags", &format!("{address}/team/all")]);
    assert!(pulled.ok().contains("v2: Pulling from team/all") && pulled.stdout.contains("v3: "), "{pulled}");
    let seen = daemon.skiff(&["manifest", "inspect", &format!("{address}/team/all:v2")]);
    assert!(seen.ok().contains("application/vnd.oci.image.manifest.v1+json"), "{seen}");
    whole_debian(&daemon, address, &skopeo);
    drop((registry, service));
    daemon.finish();
}
