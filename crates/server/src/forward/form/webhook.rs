//! The form of a webhook, and its signature: Standard Webhooks.
//!
//! One message a request. Its id is the message's identity, so it is the same however often the message comes, and no
//! other message has it. The signature covers the id, the time and the body.

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use muster_model::{id::Identity, message::Message};
use sha2::Sha256;

use crate::{forward::secret::Secret, wire::object::Object};

/// The body: what kind of message, when it was received, and the message.
pub(super) fn write(message: &Message<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.data.len() + 512);
    Object::write(&mut out, |body| {
        body.text("type", &format!("message.{}", message.kind.as_str()));
        body.text("timestamp", &message.received_at.to_micros_text());
        body.verbatim("data", &message.as_sent());
    });
    out
}

/// The id of a request about a message.
pub(in crate::forward) fn id(identity: Identity) -> String {
    format!("msg_{identity}")
}

/// The value of `webhook-signature`; `None` when the secret cannot sign.
pub(in crate::forward) fn signature(secret: &Secret, id: &str, seconds: i64, body: &[u8]) -> Option<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(&secret.signing_key()?).ok()?;
    mac.update(format!("{id}.{seconds}.").as_bytes());
    mac.update(body);
    Some(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A vector that was worked out with another program.
    #[test]
    fn signatures_are_those_of_the_standard() {
        let secret = Secret::webhook("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signed = signature(&secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signed.as_deref(), Some("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="));
    }
}
