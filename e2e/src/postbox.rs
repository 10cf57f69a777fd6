//! A mail server that takes everything, and gives the links of the mails out again.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Mails that came, on a port of its own. It ends with the process.
#[derive(Clone)]
pub struct Postbox {
    port: u16,
    mails: Arc<Mutex<Vec<String>>>,
}

impl Postbox {
    /// Opens it.
    pub fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let mails: Arc<Mutex<Vec<String>>> = Arc::default();
        let kept = Arc::clone(&mails);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let kept = Arc::clone(&kept);
                std::thread::spawn(move || take(stream, &kept));
            }
        });
        Self { port, mails }
    }

    /// What makes a server send its mails here.
    pub fn configuration(&self) -> String {
        format!(
            "mail.smtp_url = \"smtp://localhost:{}?tls=none\"\n\
             mail.from = \"no-reply@example.kr\"\n",
            self.port
        )
    }

    /// The ticket in the link to this path, of a mail to this address; waits for the mail.
    pub async fn ticket(&self, to: &str, path: &str) -> String {
        let until = Instant::now() + Duration::from_secs(60);
        loop {
            if let Some(ticket) = self.find(to, path) {
                return ticket;
            }
            assert!(Instant::now() < until, "no mail for {to} leads to {path}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    fn find(&self, to: &str, path: &str) -> Option<String> {
        let (to, link) = (format!("To: {to}\n"), format!("{path}?ticket="));
        let mails = self.mails.lock().unwrap();
        let mail = mails.iter().rev().find(|mail| mail.contains(&to) && mail.contains(&link))?;
        let (_, rest) = mail.split_once(&link)?;
        let is_of_a_ticket = |it: &char| it.is_ascii_alphanumeric() || "_-".contains(*it);
        Some(rest.chars().take_while(is_of_a_ticket).collect())
    }
}

/// Talks with one sender until they have gone.
fn take(stream: TcpStream, mails: &Mutex<Vec<String>>) {
    let mut out = stream.try_clone().unwrap();
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let mut say = move |line: &str| out.write_all(format!("{line}\r\n").as_bytes()).is_ok();
    say("220 postbox");
    while let Some(line) = lines.next() {
        let word = line.split([' ', ':']).next().unwrap().to_uppercase();
        let is_heard = match word.as_str() {
            "DATA" => {
                say("354 go on");
                let mail: Vec<_> = lines.by_ref().take_while(|it| it != ".").collect();
                // Quoted-printable, as far as an address needs it.
                let text = mail.join("\n").replace("=\n", "").replace("=3D", "=");
                mails.lock().unwrap().push(text);
                say("250 taken")
            }
            "QUIT" => {
                say("221 bye");
                false
            }
            _ => say("250 ok"),
        };
        if !is_heard {
            return;
        }
    }
}
