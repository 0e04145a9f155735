//! How a link behaves: each direction by itself, so that one can be dead while the other works.

use std::time::Duration;

/// A link between a client and a server. The default one is well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Link {
    /// What the client says.
    pub to_server: Direction,
    /// What the server says.
    pub to_client: Direction,
    /// New connections are reset at once.
    pub refuse: bool,
}

/// One direction of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Direction {
    /// What becomes of the bytes.
    pub flow: Flow,
    /// Bytes arrive so much later.
    pub delay: Duration,
    /// At most so many bytes a second.
    pub bytes_per_second: Option<u64>,
    /// Each connection passes so many bytes more, counted from this setting, and is then reset.
    pub cut_after: Option<u64>,
}

/// What becomes of the bytes of a direction, its end included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Flow {
    /// They pass.
    #[default]
    Open,
    /// They wait until the link is well again, and pass then: packets lost for a while, sent again by the sender's kernel.
    Held,
    /// They are gone, and the connection with them, which neither side is told: a black hole.
    Lost,
}

impl Link {
    /// Both directions like this one.
    #[must_use]
    pub fn both(direction: Direction) -> Self {
        Self { to_server: direction, to_client: direction, refuse: false }
    }

    /// Bytes take so much longer, each way.
    #[must_use]
    pub fn delayed(delay: Duration) -> Self {
        Self::both(Direction { delay, ..Direction::default() })
    }

    /// A black hole.
    #[must_use]
    pub fn dropped() -> Self {
        Self::both(Direction { flow: Flow::Lost, ..Direction::default() })
    }

    /// Nothing passes for now.
    #[must_use]
    pub fn held() -> Self {
        Self::both(Direction { flow: Flow::Held, ..Direction::default() })
    }

    /// The server hears nothing any more, the client everything.
    #[must_use]
    pub fn deaf_server() -> Self {
        Self { to_server: Direction { flow: Flow::Lost, ..Direction::default() }, ..Self::default() }
    }

    /// The client hears nothing any more, the server everything: answers are lost, what was asked for happens.
    #[must_use]
    pub fn deaf_client() -> Self {
        Self { to_client: Direction { flow: Flow::Lost, ..Direction::default() }, ..Self::default() }
    }

    /// So many bytes a second at most, each way.
    #[must_use]
    pub fn slow(bytes_per_second: u64) -> Self {
        Self::both(Direction { bytes_per_second: Some(bytes_per_second), ..Direction::default() })
    }

    /// Each connection is reset after so many further bytes to the server.
    #[must_use]
    pub fn cut_after_to_server(bytes: u64) -> Self {
        Self { to_server: Direction { cut_after: Some(bytes), ..Direction::default() }, ..Self::default() }
    }

    /// Each connection is reset after so many further bytes to the client.
    #[must_use]
    pub fn cut_after_to_client(bytes: u64) -> Self {
        Self { to_client: Direction { cut_after: Some(bytes), ..Direction::default() }, ..Self::default() }
    }

    /// New connections are reset at once; those that are there live on.
    #[must_use]
    pub fn refusing() -> Self {
        Self { refuse: true, ..Self::default() }
    }
}
