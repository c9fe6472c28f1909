//! A box as its owner has it: a process of its own, seen only through its picture, its status
//! page and its exit code.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::Value;

/// How long a person would wait before calling the box broken: a minute, or as many seconds as
/// `VINCULO_PATIENCE` says, for a box of another processor that runs in an emulator.
pub fn patience() -> Duration {
    let asked = std::env::var("VINCULO_PATIENCE");
    Duration::from_secs(asked.map_or(60, |seconds| seconds.parse().unwrap()))
}

/// How long a box may take to leave when it is told to: five seconds, and in an emulator as much more as
/// `VINCULO_PATIENCE` grants.
#[allow(dead_code, reason = "the suite uses it, the measurements do not")]
pub fn farewell() -> Duration {
    patience() / 12
}

/// How often an outside observer looks. Another process can only be polled.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// A running box.
pub struct BoxProcess {
    child: Child,
    /// Where its status page listens.
    pub web: SocketAddr,
    /// How long after its start it said that its display shows a picture.
    #[allow(dead_code, reason = "the measurements use it, the suite does not")]
    pub pictured: Option<Duration>,
    said: mpsc::Receiver<String>,
}

/// The example `box` beside this test's own binary, or what `VINCULO_BOX` names.
pub fn box_binary() -> PathBuf {
    if let Some(named) = std::env::var_os("VINCULO_BOX") {
        return named.into();
    }
    let test = std::env::current_exe().unwrap();
    test.parent()
        .unwrap()
        .parent()
        .unwrap()
        .join("examples/box")
}

impl BoxProcess {
    /// Starts a box and waits for its status page.
    pub fn start(endpoint: &str, data: &Path, more: &[&str]) -> Self {
        Self::start_binary(&box_binary(), endpoint, data, more)
    }

    /// The same for another binary with the same command line.
    pub fn start_binary(binary: &Path, endpoint: &str, data: &Path, more: &[&str]) -> Self {
        let mut command = Command::new(binary);
        command
            .args(["run", "--board", "headless", "--web", "127.0.0.1:0"])
            .args(["--endpoint", endpoint, "--data-dir"])
            .arg(data)
            .args(more);
        Self::start_command(command)
    }

    /// The same for a command line of the caller's own making.
    pub fn start_command(mut command: Command) -> Self {
        let began = Instant::now();
        let mut child = command
            .env_remove("VINCULO_LOG")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (line, said) = mpsc::channel();
        std::thread::spawn(move || {
            for text in stderr.lines().map_while(Result::ok) {
                if std::env::var_os("SHOW_BOX").is_some() {
                    eprintln!("box: {text}");
                }
                if line.send(text).is_err() {
                    break;
                }
            }
        });
        let mut before = Vec::new();
        let mut pictured = None;
        let web = loop {
            let heard = said.recv_timeout(patience());
            if heard
                .as_ref()
                .is_ok_and(|text| text.contains("the first picture is shown"))
            {
                pictured.get_or_insert(began.elapsed());
            }
            match heard {
                Ok(text) => match text.split_once("status page listens address=") {
                    Some((_, address)) => break address.trim().parse().unwrap(),
                    None => before.push(text),
                },
                Err(error) => panic!("the box did not come up ({error}):\n{}", before.join("\n")),
            }
        };
        Self {
            child,
            web,
            pictured,
            said,
        }
    }

    /// Its process id.
    #[allow(dead_code, reason = "the measurements use it, the suite does not")]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// `GET /status`, or nothing while the box is not reachable.
    pub fn status(&self) -> Option<Value> {
        let (code, body) = request(self.web, "GET", "/status", "").ok()?;
        (code == 200).then(|| serde_json::from_slice(&body).unwrap())
    }

    /// `GET /events`.
    #[allow(dead_code, reason = "the suite uses it, the measurements do not")]
    pub fn events(&self) -> Value {
        let (code, body) = request(self.web, "GET", "/events", "").unwrap();
        assert_eq!(code, 200);
        serde_json::from_slice(&body).unwrap()
    }

    /// Waits until the history says so.
    #[allow(dead_code, reason = "the suite uses it, the measurements do not")]
    pub fn wait_events(&self, what: &str, holds: impl Fn(&Value) -> bool) {
        let began = Instant::now();
        while !holds(&self.events()) {
            assert!(began.elapsed() < patience(), "{what}: {}", self.events());
            std::thread::park_timeout(LOOK_AGAIN);
        }
    }

    /// What the box's page answers.
    #[allow(dead_code, reason = "the suite uses it, the measurements do not")]
    pub fn ask(&self, method: &str, path: &str, body: &str) -> (u16, Vec<u8>) {
        request(self.web, method, path, body).unwrap()
    }

    /// What it has logged since this was asked last.
    #[allow(dead_code, reason = "the suite uses it, the measurements do not")]
    pub fn log(&self) -> String {
        self.said.try_iter().collect::<Vec<_>>().join("\n")
    }

    /// The picture on the screen.
    pub fn screen(&self) -> Picture {
        let (code, body) = request(self.web, "GET", "/screen.png", "").unwrap();
        assert_eq!(code, 200);
        decode(&body)
    }

    /// Holds the button that only simulated boards have.
    pub fn hold(&self, hold: Duration) {
        let body = format!("{{\"hold_ms\":{}}}", hold.as_millis());
        let (code, answer) = request(self.web, "POST", "/button", &body).unwrap();
        assert!(code < 300, "{}", String::from_utf8_lossy(&answer));
    }

    /// Waits until the status page says so.
    pub fn wait(&self, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let began = Instant::now();
        let mut latest = None;
        while began.elapsed() < patience() {
            if let Some(status) = self.status() {
                if holds(&status) {
                    return status;
                }
                latest = Some(status);
            }
            std::thread::park_timeout(LOOK_AGAIN);
        }
        let log: Vec<_> = self.said.try_iter().collect();
        panic!(
            "{what}: not within {:?}; latest {latest:?}\n{}",
            patience(),
            log.join("\n")
        );
    }

    /// Waits for a state of the link.
    pub fn wait_link(&self, link: &str) -> Value {
        self.wait(link, |status| status["link"] == link)
    }

    /// Waits until the picture carries a QR, and reads it as a camera would: off the pixels.
    pub fn wait_qr(&self) -> String {
        let began = Instant::now();
        while began.elapsed() < patience() {
            let picture = self.screen();
            if let Some(text) = scan(&picture) {
                return text;
            }
            std::thread::park_timeout(LOOK_AGAIN);
        }
        panic!(
            "no QR on the screen within {:?}; latest {:?}",
            patience(),
            self.status()
        );
    }

    /// Pulls the plug.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// What the service manager does.
    pub fn terminate(mut self) -> (ExitStatus, Duration) {
        let began = Instant::now();
        let told = Command::new("kill")
            .arg(self.child.id().to_string())
            .status();
        assert!(told.unwrap().success());
        let status = self.child.wait().unwrap();
        (status, began.elapsed())
    }
}

impl Drop for BoxProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Presses the button of a simulated board, wherever the box runs.
#[allow(dead_code, reason = "the suite uses it, the measurements do not")]
pub fn press(web: SocketAddr) {
    let (code, answer) = request(web, "POST", "/button", "{\"hold_ms\":100}").unwrap();
    assert!(code < 300, "{}", String::from_utf8_lossy(&answer));
}

fn request(
    to: SocketAddr,
    method: &str,
    path: &str,
    body: &str,
) -> std::io::Result<(u16, Vec<u8>)> {
    let mut stream = TcpStream::connect_timeout(&to, Duration::from_secs(5))?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {to}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let end = answer
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .ok_or(std::io::ErrorKind::UnexpectedEof)?;
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let code = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    Ok((
        code.ok_or(std::io::ErrorKind::InvalidData)?,
        answer.split_off(end + 4),
    ))
}

/// A picture in shades of grey.
pub struct Picture {
    width: usize,
    height: usize,
    grey: Vec<u8>,
}

pub fn decode(bytes: &[u8]) -> Picture {
    let mut decoder = png::Decoder::new(std::io::Cursor::new(bytes));
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    let mut reader = decoder.read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    let grey = pixels[..info.buffer_size()]
        .chunks(info.color_type.samples())
        .map(|pixel| {
            let colours = &pixel[..pixel.len().min(3)];
            (colours.iter().map(|c| u32::from(*c)).sum::<u32>() / colours.len() as u32) as u8
        })
        .collect();
    Picture {
        width: info.width as usize,
        height: info.height as usize,
        grey,
    }
}

/// Reads a QR off a picture.
pub fn scan(picture: &Picture) -> Option<String> {
    let mut prepared =
        rqrr::PreparedImage::prepare_from_greyscale(picture.width, picture.height, |x, y| {
            picture.grey[y * picture.width + x]
        });
    let grids = prepared.detect_grids();
    let (_, text) = grids.first()?.decode().ok()?;
    Some(text)
}
