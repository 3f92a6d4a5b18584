//! Why did a connection end, and what follows from it?

use std::io;

use crate::{
    acks::AckDropped,
    counters::{Counters, count},
    packet::{Fault, Reason, Verdict},
};

/// Why a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The device said goodbye.
    Goodbye { with_will: bool },
    /// The network or the device dropped the connection.
    Lost,
    /// The device sent something we do not accept.
    Fault(Fault),
    /// No CONNECT in time.
    ConnectTimeout,
    /// CONNECT was refused.
    Refused(Verdict),
    /// It published where it may not.
    NotAuthorized,
    /// More unreleased QoS 2 messages than we remember.
    TooManyUnreleased,
    /// The server did not keep a message.
    AckDropped,
    /// The server was too late to keep a message.
    AckLate,
    /// Nothing came for one and a half keep-alives.
    KeepAlive,
    /// It does not read.
    SlowReader,
    /// The same client connected again.
    TakenOver,
    /// The server stops.
    ShuttingDown,
}

impl End {
    /// What a v5 device is told; `None` when there is nothing to say or nobody to hear it.
    pub(crate) fn reason(self) -> Option<Reason> {
        match self {
            Self::Goodbye { .. }
            | Self::Lost
            | Self::ConnectTimeout
            | Self::Refused(_)
            | Self::SlowReader => None,
            Self::Fault(fault) => Some(fault_reason(fault)),
            Self::NotAuthorized => Some(Reason::NotAuthorized),
            Self::TooManyUnreleased => Some(Reason::ReceiveMaximum),
            Self::AckDropped => Some(Reason::Unspecified),
            Self::AckLate => Some(Reason::Busy),
            Self::KeepAlive => Some(Reason::KeepAlive),
            Self::TakenOver => Some(Reason::TakenOver),
            Self::ShuttingDown => Some(Reason::ShuttingDown),
        }
    }

    /// Whether the device's last will is to be handed over.
    pub(crate) fn leaves_will(self) -> bool {
        match self {
            Self::Goodbye { with_will } => with_will,
            Self::ShuttingDown => false,
            Self::Lost
            | Self::Fault(_)
            | Self::ConnectTimeout
            | Self::Refused(_)
            | Self::NotAuthorized
            | Self::TooManyUnreleased
            | Self::AckDropped
            | Self::AckLate
            | Self::KeepAlive
            | Self::SlowReader
            | Self::TakenOver => true,
        }
    }

    /// Counts it.
    pub(crate) fn count(self, counters: &Counters) {
        match self {
            Self::Goodbye { .. } | Self::Lost | Self::ShuttingDown => {}
            Self::Fault(fault) => count_fault(fault, counters),
            Self::ConnectTimeout => count(&counters.refused_timeout),
            Self::Refused(verdict) => count_verdict(verdict, counters),
            Self::NotAuthorized => count(&counters.publishes_refused),
            Self::TooManyUnreleased => count(&counters.protocol_errors),
            Self::AckDropped => count(&counters.acks_dropped),
            Self::AckLate => count(&counters.acks_late),
            Self::KeepAlive => count(&counters.keep_alive_timeouts),
            Self::SlowReader => count(&counters.slow_readers),
            Self::TakenOver => count(&counters.taken_over),
        }
    }
}

impl From<io::Error> for End {
    fn from(_: io::Error) -> Self {
        Self::Lost
    }
}

impl From<Fault> for End {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<AckDropped> for End {
    fn from(_: AckDropped) -> Self {
        Self::AckDropped
    }
}

fn fault_reason(fault: Fault) -> Reason {
    match fault {
        Fault::Malformed => Reason::Malformed,
        Fault::Protocol | Fault::Version => Reason::Protocol,
        Fault::TooLarge => Reason::TooLarge,
        Fault::TopicName => Reason::TopicName,
        Fault::TopicFilter => Reason::TopicFilter,
        Fault::TopicAlias => Reason::TopicAlias,
        Fault::SubscriptionId => Reason::SubscriptionId,
    }
}

fn count_fault(fault: Fault, counters: &Counters) {
    match fault {
        Fault::Malformed => count(&counters.malformed),
        Fault::Protocol | Fault::TopicAlias | Fault::SubscriptionId => count(&counters.protocol_errors),
        Fault::TooLarge => count(&counters.oversize),
        Fault::Version => count(&counters.refused_version),
        Fault::TopicName | Fault::TopicFilter => count(&counters.invalid_topics),
    }
}

fn count_verdict(verdict: Verdict, counters: &Counters) {
    match verdict {
        Verdict::Accepted => {}
        Verdict::Version | Verdict::LoginMethod => count(&counters.refused_version),
        Verdict::ClientId => count(&counters.refused_client_id),
        Verdict::Credentials => count(&counters.refused_credentials),
        Verdict::NotAuthorized => count(&counters.refused_not_authorized),
        Verdict::Unavailable => count(&counters.refused_unavailable),
        Verdict::Topic => count(&counters.invalid_topics),
        Verdict::Malformed => count(&counters.malformed),
    }
}
