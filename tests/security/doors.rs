//! Kafka's locked doors: listeners with TLS and with logins, beside the open one that the tests' own
//! clients come in by. Whoever comes in by the open door may do everything; by the others what the ACLs give.

use std::path::PathBuf;
use std::sync::OnceLock;

use crate::certificates::{Authority, Identity, Subject};
use crate::support::ports::Port;
use crate::support::{Kafka, Settings};

/// Those who may log in with PLAIN, each with `NAME-secret`; the first one also with SCRAM.
pub const USERS: &[&str] = &["worker", "newcomer", "clerk", "late"];

/// The password of a user.
pub fn password(user: &str) -> String {
    format!("{user}-secret")
}

/// See the module.
#[derive(Debug)]
pub struct Doors {
    /// TLS; a client may show a certificate, and is then `User:CN=NAME`.
    tls: Port,
    /// TLS with a certificate that is for another name.
    elsewhere: Port,
    /// TLS, and a login.
    login: Port,
    /// A login without TLS.
    open_login: Port,
    folder: tempfile::TempDir,
    client: Identity,
}

/// The one broker of these tests, and its doors.
pub fn guarded() -> (&'static Kafka, &'static Doors) {
    static GUARDED: OnceLock<(Kafka, Doors)> = OnceLock::new();
    let (kafka, doors) = GUARDED.get_or_init(|| {
        let doors = Doors::make();
        (Kafka::start(doors.settings()), doors)
    });
    (kafka, doors)
}

impl Doors {
    /// Claims ports, and makes the certificates.
    fn make() -> Doors {
        let kept = tempfile::tempdir().unwrap_or_else(|error| panic!("a directory: {error}"));
        let folder = kept.path();
        let authority = Authority::new("Authority of the tests", &folder.join("ca.crt"));
        let here = Subject {
            name: "localhost",
            dns: &["localhost"],
            addresses: &["127.0.0.1"],
        };
        let elsewhere = Subject {
            name: "kafka.example",
            dns: &["kafka.example"],
            addresses: &[],
        };
        let client = Subject {
            name: "worker",
            dns: &[],
            addresses: &[],
        };
        authority.sign(folder, "broker", here);
        authority.sign(folder, "elsewhere", elsewhere);
        Doors {
            tls: Port::claim(),
            elsewhere: Port::claim(),
            login: Port::claim(),
            open_login: Port::claim(),
            client: authority.sign(folder, "client", client),
            folder: kept,
        }
    }

    pub fn tls(&self) -> String {
        self.tls.address()
    }

    pub fn elsewhere(&self) -> String {
        self.elsewhere.address()
    }

    pub fn login(&self) -> String {
        self.login.address()
    }

    pub fn open_login(&self) -> String {
        self.open_login.address()
    }

    /// The certificate of the authority that signed all others.
    pub fn authority(&self) -> PathBuf {
        self.folder.path().join("ca.crt")
    }

    /// The certificate of `User:CN=worker`.
    pub fn client(&self) -> &Identity {
        &self.client
    }

    fn settings(&self) -> Settings {
        let file = |name: &str| self.folder.path().join(name).display().to_string();
        let common = [
            (
                "listener.security.protocol.map",
                "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,TLS:SSL,ELSEWHERE:SSL,LOGIN:SASL_SSL,OPEN:SASL_PLAINTEXT",
            ),
            (
                "authorizer.class.name",
                "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            ),
            ("super.users", "User:ANONYMOUS"),
            ("ssl.keystore.type", "PEM"),
            ("ssl.keystore.location", &file("broker.pem")),
            ("ssl.truststore.type", "PEM"),
            ("ssl.truststore.location", &file("ca.crt")),
            ("listener.name.elsewhere.ssl.keystore.type", "PEM"),
            (
                "listener.name.elsewhere.ssl.keystore.location",
                &file("elsewhere.pem"),
            ),
            ("listener.name.tls.ssl.client.auth", "requested"),
        ];
        let mut settings = Settings::kraft(1);
        for (name, value) in common {
            settings = settings.with(name, value);
        }
        for (name, value) in logins() {
            for door in ["login", "open"] {
                settings = settings.with(&format!("listener.name.{door}.{name}"), &value);
            }
        }
        for (name, port) in [
            ("TLS", &self.tls),
            ("ELSEWHERE", &self.elsewhere),
            ("LOGIN", &self.login),
            ("OPEN", &self.open_login),
        ] {
            settings = settings.listener(&format!("{name}://{}", port.address()));
        }
        for mechanism in ["SCRAM-SHA-256", "SCRAM-SHA-512"] {
            let (name, password) = (USERS[0], password(USERS[0]));
            let user = format!("{mechanism}=[name={name},password={password}]");
            settings = settings.format("--add-scram").format(&user);
        }
        settings
    }
}

/// A listener's logins. OAUTHBEARER takes tokens that nobody has signed.
fn logins() -> Vec<(String, String)> {
    let common = "org.apache.kafka.common.security";
    let users: Vec<String> = USERS
        .iter()
        .map(|user| format!("user_{user}=\"{}\"", password(user)))
        .collect();
    let users = users.join(" ");
    let scram = format!("{common}.scram.ScramLoginModule required;");
    let module = format!("{common}.oauthbearer.OAuthBearerLoginModule");
    let validator = format!(
        "{common}.oauthbearer.internals.unsecured.OAuthBearerUnsecuredValidatorCallbackHandler"
    );
    [
        (
            "sasl.enabled.mechanisms",
            "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER".to_owned(),
        ),
        (
            "plain.sasl.jaas.config",
            format!("{common}.plain.PlainLoginModule required {users};"),
        ),
        ("scram-sha-256.sasl.jaas.config", scram.clone()),
        ("scram-sha-512.sasl.jaas.config", scram),
        (
            "oauthbearer.sasl.jaas.config",
            format!("{module} required unsecuredLoginStringClaim_sub=\"broker\";"),
        ),
        ("oauthbearer.sasl.server.callback.handler.class", validator),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}
