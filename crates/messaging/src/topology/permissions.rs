//! What each user may publish and subscribe to: just what the table of traffic says, and the JetStream calls it takes.
//!
//! A service that asks for more is refused by the broker; it sees a timeout, and the cause comes to the event callback
//! only, which logs it ([`connect`](crate::connect)).

use std::collections::BTreeSet;

use events::Nature;
use events::traffic::{Durable, Party, Stream, TRAFFIC, Way};

/// The subjects of one user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Permissions {
    /// May be published to.
    pub publish: BTreeSet<String>,
    /// May not be published to, although a wildcard in `publish` matches.
    pub publish_deny: BTreeSet<String>,
    /// May be subscribed to.
    pub subscribe: BTreeSet<String>,
}

/// The prefix of a user's inboxes: no user can read the answers that another gets.
pub fn inbox_prefix(user: &str) -> String {
    format!("_INBOX_{user}")
}

/// The subjects that a party's events are heard on, in one stream.
pub(crate) fn heard(party: Party, stream: Stream) -> Vec<&'static str> {
    TRAFFIC
        .iter()
        .filter(|flow| flow.party == party && flow.way == Way::ConsumesAll)
        .map(|flow| flow.event.subjects())
        .filter(|subjects| Stream::of_subject(subjects) == Some(stream))
        .collect()
}

/// The subjects of a party's user.
pub fn permissions(party: Party) -> Permissions {
    let mut permissions = Permissions::default();
    permissions.subscribe.insert(format!("{}.>", inbox_prefix(party.name())));
    for flow in TRAFFIC.iter().filter(|flow| flow.party == party) {
        let subjects = flow.event.subjects();
        let Some(stream) = Stream::of_subject(subjects) else {
            continue;
        };
        match flow.way {
            Way::Publishes => {
                permissions.publish.insert(subjects.to_owned());
                // A hint that no stream keeps is lost, which a hint may be; a fact needs its stream.
                if flow.event.nature() == Nature::Fact {
                    permissions.allow_stream(stream);
                }
            }
            Way::ConsumesOnce(durable) => {
                permissions.allow_durable(durable);
                permissions.allow_reading(durable);
            }
            Way::ConsumesAll => permissions.allow_fan_out(party, stream),
        }
    }
    // Deploying makes everything, so that autoscalers find the consumers they look at.
    if party == Party::Erpctl {
        Stream::ALL.into_iter().for_each(|stream| permissions.allow_stream(stream));
        Durable::ALL.into_iter().for_each(|durable| permissions.allow_durable(durable));
    }
    permissions
}

impl Permissions {
    fn allow(&mut self, subject: String) {
        self.publish.insert(subject);
    }

    /// Look at, make and mend a stream.
    fn allow_stream(&mut self, stream: Stream) {
        for call in ["INFO", "CREATE", "UPDATE"] {
            self.allow(format!("$JS.API.STREAM.{call}.{}", stream.name()));
        }
    }

    /// Look at, make and mend a durable consumer and its stream.
    fn allow_durable(&mut self, durable: Durable) {
        let (stream, name) = (durable.stream(), durable.name());
        self.allow_stream(stream);
        self.allow(format!("$JS.API.CONSUMER.INFO.{}.{name}", stream.name()));
        self.allow(match durable.subjects().as_slice() {
            // The one filter of a consumer is part of the call's subject.
            [filter] => format!("$JS.API.CONSUMER.CREATE.{}.{name}.{filter}", stream.name()),
            _ => format!("$JS.API.CONSUMER.CREATE.{}.{name}", stream.name()),
        });
    }

    /// Fetch from a durable consumer and settle its messages.
    fn allow_reading(&mut self, durable: Durable) {
        let (stream, name) = (durable.stream().name(), durable.name());
        self.allow(format!("$JS.API.CONSUMER.MSG.NEXT.{stream}.{name}"));
        self.allow(format!("$JS.ACK.{stream}.{name}.>"));
    }

    /// Make ephemeral consumers of any name and fetch from them, but not from the durables of others.
    fn allow_fan_out(&mut self, party: Party, stream: Stream) {
        self.allow_stream(stream);
        self.allow(format!("$JS.API.CONSUMER.MSG.NEXT.{}.*", stream.name()));
        self.allow(match heard(party, stream).as_slice() {
            [filter] => format!("$JS.API.CONSUMER.CREATE.{}.*.{filter}", stream.name()),
            _ => format!("$JS.API.CONSUMER.CREATE.{}.*", stream.name()),
        });
        for durable in Durable::ALL.into_iter().filter(|durable| durable.stream() == stream && durable.party() != party)
        {
            let (stream, name) = (stream.name(), durable.name());
            self.publish_deny.insert(format!("$JS.API.CONSUMER.MSG.NEXT.{stream}.{name}"));
            self.publish_deny.insert(format!("$JS.API.CONSUMER.CREATE.{stream}.{name}"));
            self.publish_deny.insert(format!("$JS.API.CONSUMER.CREATE.{stream}.{name}.>"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ingress_says_webhooks_and_hears_the_configuration_and_no_more() {
        let permissions = permissions(Party::Ingress);
        let wanted = [
            "$JS.API.CONSUMER.CREATE.CONTROL.*.config.changed",
            "$JS.API.CONSUMER.MSG.NEXT.CONTROL.*",
            "$JS.API.STREAM.CREATE.CONTROL",
            "$JS.API.STREAM.INFO.CONTROL",
            "$JS.API.STREAM.UPDATE.CONTROL",
            "webhook.received.*",
        ];
        assert_eq!(permissions.publish.iter().map(String::as_str).collect::<Vec<_>>(), wanted);
        assert_eq!(permissions.subscribe, BTreeSet::from(["_INBOX_ingress.>".to_owned()]));
        assert!(permissions.publish_deny.contains("$JS.API.CONSUMER.MSG.NEXT.CONTROL.reconciler"));
    }

    #[test]
    fn nobody_may_delete_or_purge_or_publish_everything() {
        for party in Party::ALL {
            for subject in permissions(party).publish {
                assert!(!subject.starts_with('>') && !subject.starts_with('*'), "{subject}");
                assert!(!subject.contains("DELETE") && !subject.contains("PURGE"), "{subject}");
            }
        }
    }

    #[test]
    fn nobody_is_denied_what_is_theirs() {
        for durable in Durable::ALL {
            let permissions = permissions(durable.party());
            let fetch = format!("$JS.API.CONSUMER.MSG.NEXT.{}.{}", durable.stream().name(), durable.name());
            assert!(permissions.publish.contains(&fetch) && !permissions.publish_deny.contains(&fetch));
        }
    }
}
