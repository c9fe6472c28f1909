//! The control interface, spoken over HTTP as a program would.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use whatsim::{Options, Sim};

use crate::{CUSTOMER, OWNER};

async fn served() -> Sim {
    Sim::start(Options {
        control: Some(([127, 0, 0, 1], 0).into()),
        ..Options::default()
    })
    .await
    .unwrap()
}

/// One call; the status and the JSON of the answer.
async fn call(sim: &Sim, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
    let url = sim.control_url().unwrap();
    let host = url.trim_start_matches("http://");
    let body = body.map(|body| body.to_string()).unwrap_or_default();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(host).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap())
}

#[tokio::test]
async fn phones_write_to_each_other_over_http() {
    let sim = served().await;
    for (number, name) in [(OWNER, "Tienda"), (CUSTOMER, "Cliente")] {
        let (status, phone) = call(
            &sim,
            "POST",
            "/phones",
            Some(json!({"number": number, "name": name})),
        )
        .await;
        assert_eq!((status, &phone["number"]), (200, &json!(number)));
        assert!(phone["lid"].as_str().unwrap().ends_with("@lid"));
    }
    let text = json!({"to": OWNER, "text": "buenos días"});
    let (_, sent) = call(
        &sim,
        "POST",
        &format!("/phones/{CUSTOMER}/send"),
        Some(text),
    )
    .await;
    let id = sent["id"].as_str().unwrap();
    let (_, inbox) = call(&sim, "GET", &format!("/phones/{OWNER}/inbox"), None).await;
    assert_eq!(inbox[0]["id"], json!(id));
    assert_eq!(inbox[0]["text"], json!("buenos días"));
    assert_eq!(inbox[0]["deliveries"], json!(1));
    let (_, fate) = call(&sim, "GET", &format!("/phones/{CUSTOMER}/sent/{id}"), None).await;
    assert_eq!(fate["server"], json!(true));
    assert_eq!(fate["delivered"].as_array().unwrap().len(), 1);

    let group = json!({"name": "Barrio", "members": [OWNER]});
    let (_, group) = call(
        &sim,
        "POST",
        &format!("/phones/{CUSTOMER}/groups"),
        Some(group),
    )
    .await;
    let text = json!({"group": group["group"], "text": "a todos"});
    call(
        &sim,
        "POST",
        &format!("/phones/{CUSTOMER}/send"),
        Some(text),
    )
    .await;
    let (_, inbox) = call(&sim, "GET", &format!("/phones/{OWNER}/inbox"), None).await;
    assert_eq!(inbox[1]["text"], json!("a todos"));
    let (_, counters) = call(&sim, "GET", "/counters", None).await;
    assert_eq!(counters["unknown"], json!({}));
}

#[tokio::test]
async fn errors_name_their_reason_in_a_form_programs_can_read() {
    let sim = served().await;
    let phone = json!({"number": OWNER, "name": "Tienda"});
    call(&sim, "POST", "/phones", Some(phone.clone())).await;
    let scan = format!("/phones/{OWNER}/scan");
    let nobody = format!("/phones/{CUSTOMER}/inbox");
    let cases = [
        ("POST", "/phones", Some(phone), 409, "number_taken"),
        (
            "POST",
            "/phones",
            Some(json!({"number": "tienda", "name": "x"})),
            400,
            "bad_number",
        ),
        (
            "POST",
            "/phones",
            Some(json!({"name": "x"})),
            400,
            "bad_request",
        ),
        ("POST", &scan, Some(json!({"qr": "hola"})), 400, "bad_qr"),
        ("GET", &nobody, None, 404, "no_such_phone"),
        ("GET", "/nowhere", None, 400, "bad_request"),
        ("PUT", "/counters", None, 400, "bad_request"),
        (
            "POST",
            "/faults",
            Some(json!({"kind": "nonsense"})),
            400,
            "bad_request",
        ),
    ];
    for (method, path, body, status, reason) in cases {
        let (found, answer) = call(&sim, method, path, body).await;
        assert_eq!(
            (found, &answer["error"]),
            (status, &json!(reason)),
            "{path}"
        );
        assert!(!answer["detail"].as_str().unwrap().is_empty());
    }
}
