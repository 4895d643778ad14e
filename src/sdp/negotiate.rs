//! Offer and answer (RFC 3264): which codec, which direction, how much per packet.
//!
//! One audio stream is agreed on; every other media line is declined with port 0, in its place. The codec is the
//! first one both sides have, in their order or ours; keys keep the payload type of the offer.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::crypto::{self, Crypto};
use super::security::{self, Demand, SrtpPolicy};
use super::session::{Direction, Format, Listed, Media, SdpError, address_of, parse};
use super::write::{self, Audio, Declined};
use crate::rtp::srtp::Keys;
use crate::rtp::{Codec, Ice, OpusParams, Rtcp, StreamParams};

/// Payload type under which we offer Opus; what most use.
const OPUS: u8 = 107;
/// Payload type under which we offer telephone-event; what everybody uses.
pub const TELEPHONE_EVENT: u8 = 101;
/// The same for whoever sends Opus: an event counts in the clock of the sound around it (RFC 4733 §2.1).
const TELEPHONE_EVENT_48K: u8 = 110;
/// Payload type of comfort noise (RFC 3389).
const COMFORT_NOISE: u8 = 13;
/// Of [`Local::keys`], those that SRTP keys are made of; the others are for ICE.
const SRTP_SECRET: usize = 46;
/// Milliseconds per packet when they ask for nothing, or for what we do not send.
const PTIME_MS: u32 = 20;
/// What we can send per packet.
const PTIMES_MS: [u32; 5] = [10, 20, 30, 40, 60];

/// Whose order of codecs decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Preference {
    /// The offer's, as telephones expect.
    #[default]
    Theirs,
    /// Ours.
    Ours,
}

/// Our side of a negotiation.
#[derive(Clone, Copy)]
pub struct Local<'a> {
    /// Address the far end should send to.
    pub address: IpAddr,
    /// RTP port there.
    pub port: u16,
    /// What we speak, best first.
    pub codecs: &'a [Codec],
    /// Whose order decides when we answer.
    pub preference: Preference,
    /// `o=` session id, unique per call.
    pub session_id: u64,
    /// `o=` version: one more with every description of the call that differs from the one before.
    pub session_version: u64,
    /// Is sound encrypted?
    pub srtp: SrtpPolicy,
    /// Do we take, and offer, RTCP on the port of RTP (RFC 5761)?
    pub rtcp_mux: bool,
    /// Do we answer connectivity checks (ICE lite, RFC 8445) for those who ask?
    pub ice: bool,
    /// Random bytes, new for every call: SRTP keys and the ICE password are made of them. Zeros for whoever has neither.
    pub keys: [u8; 92],
}

impl Default for Local<'_> {
    /// G.711 in plain RTP, with no address yet.
    fn default() -> Self {
        Self {
            address: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            port: 0,
            codecs: &[Codec::Pcmu, Codec::Pcma],
            preference: Preference::Theirs,
            session_id: 1,
            session_version: 1,
            srtp: SrtpPolicy::Off,
            rtcp_mux: false,
            ice: false,
            keys: [0; 92],
        }
    }
}

impl fmt::Debug for Local<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, port, codecs, srtp, .. } = self;
        write!(f, "Local {{ {address} {port}, {codecs:?}, srtp {srtp:?}, keys «secret» }}")
    }
}

/// Answers an offer: our description, and what the two agree on.
///
/// ```
/// use trunkline::rtp::Codec;
/// use trunkline::sdp::{Local, Preference, answer};
///
/// let local = Local {
///     address: [192, 0, 2, 1].into(),
///     port: 20_000,
///     codecs: &[Codec::Pcmu, Codec::Pcma],
///     preference: Preference::Theirs,
///     session_id: 1,
///     session_version: 1,
///     ..Local::default()
/// };
/// let offer = "v=0\nc=IN IP4 192.0.2.7\nm=audio 4000 RTP/AVP 18 8 0\n";
/// let (text, params) = answer(offer, &local).unwrap();
/// assert!(text.contains("m=audio 20000 RTP/AVP 8\r\n"));
/// assert_eq!(params.codec, Codec::Pcma);
/// ```
pub fn answer(offer: &str, local: &Local<'_>) -> Result<(String, StreamParams), SdpError> {
    let answered = answer_with(offer, local, Direction::SendRecv, None)?;
    Ok((answered.text, answered.params))
}

/// An answer, and what the next offer must respect.
#[derive(Debug)]
pub(super) struct Answered {
    pub text: String,
    pub params: StreamParams,
    pub layout: Layout,
    /// The same words as an offer: a session is refreshed by saying again what holds. None of a session put away.
    pub offered: Option<Offered>,
}

/// The lines of a session: once there, a line stays, whoever offers next (RFC 3264 §8).
#[derive(Clone, Debug, Default)]
pub(super) struct Layout {
    /// All but ours.
    declined: Vec<Declined>,
    /// The place of ours among them.
    place: usize,
    /// `proto` of ours.
    transport: Option<String>,
    /// Payload types that mean something already, which may not change (RFC 3264 §8.3.2).
    taken: Vec<u8>,
    /// Those of them that are keys, and in which clock.
    events: Vec<(u8, u32)>,
}

/// The same within a call, where `agreed` holds: there a stream may also be put away with port 0, and we may want less
/// than both directions.
pub(super) fn answer_with(
    offer: &str,
    local: &Local<'_>,
    wanted: Direction,
    agreed: Option<&StreamParams>,
) -> Result<Answered, SdpError> {
    let theirs = parse(offer)?;
    let demand = security::demand(local.srtp, agreed);
    let chosen = match (choose(&theirs, local, demand), agreed) {
        // Where something else comes in its place (a fax over T.38), a refusal tells them to stay with the sound.
        (Err(SdpError::NoAudio), Some(agreed))
            if theirs.iter().any(Media::is_audio_line) && theirs.iter().all(|media| media.port == 0) =>
        {
            return Ok(put_away(&theirs, local, agreed));
        }
        (chosen, _) => chosen?,
    };
    let media = &theirs[chosen.place];
    let event = event_for(media, chosen.codec);
    let settled = settle(media, chosen.format, chosen.codec, local)?;
    let params = StreamParams {
        telephone_event: event.map(|(number, _)| number),
        receive_types: receive_types(&[(chosen.format.payload_type, chosen.codec)], Some(media)),
        security: chosen.crypto.map(|crypto| {
            let ours = crypto::key_for(crypto.suite, local.srtp_secret());
            Box::new(Keys { suite: crypto.suite, ours, theirs: crypto.key })
        }),
        send: settled.send && wanted.sends(),
        receive: settled.receive && wanted.receives(),
        ..settled
    };
    let ours = params.security.as_ref().map(|keys| Crypto {
        tag: chosen.crypto.map_or(1, |crypto| crypto.tag),
        suite: keys.suite,
        key: keys.ours,
    });
    let layout = layout_of(&theirs, chosen.place);
    let audio = Audio {
        transport: &media.transport,
        formats: &[(params.payload_type, params.codec)],
        events: event.as_slice(),
        cryptos: ours.as_slice(),
        ptime_ms: params.ptime_ms,
        direction: Direction::new(params.send, params.receive),
        rtcp_mux: params.rtcp == Rtcp::Mux,
        ice: params.ice.as_deref(),
    };
    let text = write::description(local, &layout.declined, layout.place, &audio);
    let offered = Offered {
        text: text.clone(),
        layout: layout.clone(),
        formats: audio.formats.to_vec(),
        events: audio.events.to_vec(),
        cryptos: audio.cryptos.to_vec(),
        demand,
        direction: audio.direction,
    };
    Ok(Answered { text, params, layout, offered: Some(offered) })
}

/// Every line declined, because theirs all are: the call goes on in silence.
fn put_away(theirs: &[Media], local: &Local<'_>, agreed: &StreamParams) -> Answered {
    let place = theirs.iter().position(Media::is_audio_line).unwrap_or(0);
    let layout = layout_of(theirs, place);
    let declined: Vec<Declined> = theirs.iter().map(Declined::of).collect();
    let params = StreamParams { send: false, receive: false, ..agreed.clone() };
    Answered { text: write::all_declined(local, &declined), params, layout, offered: None }
}

fn layout_of(theirs: &[Media], place: usize) -> Layout {
    let others = theirs.iter().enumerate().filter(|(at, _)| *at != place);
    Layout {
        declined: others.map(|(_, media)| Declined::of(media)).collect(),
        place,
        transport: theirs.get(place).map(|media| media.transport.clone()),
        taken: theirs.get(place).map_or(Vec::new(), |media| media.formats.iter().map(|f| f.payload_type).collect()),
        events: theirs.get(place).map_or(Vec::new(), |media| {
            let clocks = media.formats.iter().filter_map(|f| Some((f.payload_type, f.event_clock_hz?)));
            clocks.collect()
        }),
    }
}

/// What we offered, and the answer is read against.
#[derive(Clone, Debug)]
pub(super) struct Offered {
    pub text: String,
    pub layout: Layout,
    formats: Vec<(u8, Codec)>,
    events: Vec<(u8, u32)>,
    cryptos: Vec<Crypto>,
    demand: Demand,
    direction: Direction,
}

/// Our offer, when the INVITE carried none (RFC 3261 §13.2.1) or when we call.
pub fn offer(local: &Local<'_>) -> String {
    offer_with(local, Direction::SendRecv, &Layout::default(), None).text
}

/// Our offer within a call: who may send, seen from us; the lines so far; and what holds.
pub(super) fn offer_with(
    local: &Local<'_>,
    direction: Direction,
    layout: &Layout,
    agreed: Option<&StreamParams>,
) -> Offered {
    let formats = offered_formats(local, layout, agreed);
    let events = offered_events(&formats, layout, agreed);
    let demand = security::demand(local.srtp, agreed);
    let cryptos = match demand.offers(agreed) {
        true => security::offered(agreed, local.srtp_secret()),
        false => Vec::new(),
    };
    let transport = layout.transport.as_deref().filter(|_| agreed.is_some()).unwrap_or(demand.usual_transport());
    let audio = Audio {
        transport,
        formats: &formats,
        events: &events,
        cryptos: &cryptos,
        ptime_ms: agreed.map_or(PTIME_MS, |agreed| agreed.ptime_ms),
        direction,
        rtcp_mux: local.rtcp_mux,
        // RFC 8839 §4.4.1: who has agreed on it repeats it, or it is over. No first offer asks for it.
        ice: agreed.and_then(|agreed| agreed.ice.as_deref()),
    };
    let text = write::description(local, &layout.declined, layout.place, &audio);
    let layout = Layout { transport: Some(transport.to_owned()), ..layout.clone() };
    Offered { text, layout, formats, events, cryptos, demand, direction }
}

/// What holds between our offer and its answer: our first choice, and nowhere to send yet.
pub(super) fn unsettled(local: &Local<'_>) -> StreamParams {
    let formats = offered_formats(local, &Layout::default(), None);
    let (payload_type, codec) = formats.first().copied().unwrap_or((0, Codec::Pcmu));
    let mut events = offered_events(&formats, &Layout::default(), None).into_iter();
    StreamParams {
        codec,
        payload_type,
        receive_types: receive_types(&formats, None),
        telephone_event: events.next().map(|(number, _)| number),
        more_events: events.collect(),
        // Whoever calls while we wait for their answer may send already; what they understand is not known yet.
        send: false,
        // What comes before the key of a call that may be encrypted is noise, or plain where it must not be.
        receive: local.srtp == SrtpPolicy::Off,
        ..StreamParams::default()
    }
}

/// Our codecs under the numbers we give them: the one in use keeps its own and stands first, so that hold changes
/// nothing else, and none takes the number of another.
fn offered_formats(local: &Local<'_>, layout: &Layout, agreed: Option<&StreamParams>) -> Vec<(u8, Codec)> {
    let number_in_use = |codec| {
        let types = agreed.map_or(&[][..], |agreed| &agreed.receive_types);
        types.iter().find(|(_, known)| *known == codec).map(|(number, _)| *number)
    };
    let numbered = local.codecs.iter().filter_map(|&codec| {
        let usual = codec.static_type().unwrap_or(OPUS);
        let free = codec.static_type().is_some() || !layout.taken.contains(&usual);
        Some((number_in_use(codec).or(free.then_some(usual))?, codec))
    });
    let mut formats: Vec<(u8, Codec)> = numbered.collect();
    formats.sort_by_key(|(_, codec)| agreed.is_none_or(|agreed| agreed.codec != *codec));
    formats
}

/// Keys in every clock that our codecs count in, under the numbers in use, else those that they gave them, else the
/// usual ones.
fn offered_events(formats: &[(u8, Codec)], layout: &Layout, agreed: Option<&StreamParams>) -> Vec<(u8, u32)> {
    let in_use = agreed.and_then(|agreed| Some((agreed.telephone_event?, agreed.event_clock_hz)));
    let usual = [(TELEPHONE_EVENT, 8_000), (TELEPHONE_EVENT_48K, 48_000)];
    let more = agreed.map_or(&[][..], |agreed| &agreed.more_events);
    let mut events: Vec<(u8, u32)> = in_use.into_iter().chain(more.iter().copied()).collect();
    for (number, clock_hz) in usual {
        let wanted = clock_hz == 8_000 || formats.iter().any(|(_, codec)| codec.clock_rate_hz() == clock_hz);
        let known = events.iter().any(|&(_, known_hz)| known_hz == clock_hz);
        let theirs = layout.events.iter().find(|(_, hz)| *hz == clock_hz).map(|(number, _)| *number);
        let number = theirs.or((!layout.taken.contains(&number)).then_some(number));
        let number = number.filter(|number| events.iter().all(|(known, _)| known != number));
        if let Some(number) = number.filter(|_| wanted && !known) {
            events.push((number, clock_hz));
        }
    }
    events
}

/// Takes the answer to [`offer`]: what was agreed on.
pub fn accept_answer(answer: &str, local: &Local<'_>) -> Result<StreamParams, SdpError> {
    accept_with(answer, local, &offer_with(local, Direction::SendRecv, &Layout::default(), None))
}

/// Takes the answer to what was [`Offered`].
pub(super) fn accept_with(answer: &str, local: &Local<'_>, offered: &Offered) -> Result<StreamParams, SdpError> {
    let theirs = parse(answer)?;
    // §6: lines correspond by place.
    let media = theirs.get(offered.layout.place).ok_or(SdpError::NoAudio)?;
    if !media.is_audio() {
        return Err(SdpError::Declined);
    }
    let security = security::of_answer(media, &offered.cryptos, offered.demand)?.map(Box::new);
    let codecs: Vec<Codec> = offered.formats.iter().map(|(_, codec)| *codec).collect();
    let local = &Local { codecs: &codecs, ..*local };
    let (format, codec) = common_format(media, local).ok_or_else(|| no_common_codec(&[media], local))?;
    // §6.1: towards us they use the numbers we gave. What they take besides goes with codecs that they take besides.
    let event = event_for(media, codec);
    let takes = |clock_hz: u32| media.formats.iter().any(|format| format.event_clock_hz == Some(clock_hz));
    let heard = offered.events.iter().copied().filter(|&(_, clock_hz)| takes(clock_hz));
    let (usual, more_events): (Vec<_>, Vec<_>) =
        heard.partition(|&(_, clock_hz)| event.is_some_and(|(_, theirs_hz)| theirs_hz == clock_hz));
    let settled = settle(media, format, codec, local)?;
    Ok(StreamParams {
        telephone_event: usual.first().map(|(number, _)| *number),
        more_events,
        receive_types: receive_types(&offered.formats, None),
        security,
        // Whoever answers "both" to "only we send" has not read it.
        send: settled.send && offered.direction.sends(),
        receive: settled.receive && offered.direction.receives(),
        ..settled
    })
}

/// What follows from their line, and is the same for offers and answers.
fn settle(media: &Media, format: &Format, codec: Codec, local: &Local<'_>) -> Result<StreamParams, SdpError> {
    let address = address_of(media)?;
    if let Some(address) = address
        && address.is_ipv4() != local.address.is_ipv4()
    {
        let (theirs, ours) = if address.is_ipv4() { ("IPv4", "IPv6") } else { ("IPv6", "IPv4") };
        return Err(SdpError::Address(format!("their address is {theirs}, ours {ours}")));
    }
    let remote = address.map(|address| SocketAddr::new(address, media.port));
    let event = event_for(media, codec);
    let rtcp = if local.rtcp_mux && media.rtcp_mux { Rtcp::Mux } else { Rtcp::Port(rtcp_port(media, remote)) };
    Ok(StreamParams {
        remote,
        codec,
        payload_type: format.payload_type,
        send_event: event.map(|(number, _)| number),
        event_clock_hz: event.map_or(8_000, |(_, clock_hz)| clock_hz),
        comfort_noise: media.formats.iter().any(|format| format.payload_type == COMFORT_NOISE),
        ptime_ms: ptime_for(media, codec),
        // §8.4: an address of zeros is an older way to put us on hold.
        send: media.direction.receives() && remote.is_some(),
        receive: media.direction.sends(),
        opus: opus_params(format),
        ice: ice_for(media, remote, rtcp, local),
        rtcp,
        ..StreamParams::default()
    })
}

/// The line to accept, and the format and codec on it.
struct Chosen<'a> {
    place: usize,
    format: &'a Format,
    codec: Codec,
    crypto: Option<Crypto>,
}

fn choose<'a>(theirs: &'a [Media], local: &Local<'_>, demand: Demand) -> Result<Chosen<'a>, SdpError> {
    let lines = theirs.iter().enumerate().filter(|(_, media)| media.is_audio());
    let judged: Vec<_> = lines.map(|(place, media)| (place, media, security::of_offer(media, demand))).collect();
    let usable = judged.iter().filter_map(|(place, media, judged)| Some((*place, *media, *judged.as_ref().ok()?)));
    // Encrypted lines first: whoever writes both wants that (RFC 5939 has a way to say so which few have).
    let (secure, plain): (Vec<_>, Vec<_>) = usable.partition(|(_, _, crypto)| crypto.is_some());
    let usable = [secure, plain].concat();
    for &(place, media, crypto) in &usable {
        if let Some((format, codec)) = common_format(media, local) {
            return Ok(Chosen { place, format, codec, crypto });
        }
    }
    if !usable.is_empty() {
        let lines: Vec<&Media> = usable.iter().map(|(_, media, _)| *media).collect();
        return Err(no_common_codec(&lines, local));
    }
    let mut errors: Vec<SdpError> = judged.into_iter().filter_map(|(_, _, judged)| judged.err()).collect();
    // What can be helped with least comes last.
    errors.sort_by_key(|error| matches!(error, SdpError::Transport { .. }));
    Err(errors.into_iter().next().unwrap_or(SdpError::NoAudio))
}

fn common_format<'a>(media: &'a Media, local: &Local<'_>) -> Option<(&'a Format, Codec)> {
    let formats = || media.formats.iter().filter_map(|format| Some((format, format.codec?)));
    match local.preference {
        Preference::Theirs => formats().find(|(_, codec)| local.codecs.contains(codec)),
        Preference::Ours => local.codecs.iter().find_map(|ours| formats().find(|(_, codec)| codec == ours)),
    }
}

/// Their telephone-event in the clock of the codec (RFC 4733 §2.1), or else in that of all telephones.
fn event_for(media: &Media, codec: Codec) -> Option<(u8, u32)> {
    let in_clock = |hz: u32| media.formats.iter().find(|format| format.event_clock_hz == Some(hz));
    let format = in_clock(codec.clock_rate_hz()).or_else(|| in_clock(8_000))?;
    Some((format.payload_type, format.event_clock_hz?))
}

/// What they may send: what was agreed on, and both laws of G.711 under the numbers of RFC 3551, unless these mean
/// something else to them.
fn receive_types(agreed: &[(u8, Codec)], media: Option<&Media>) -> Vec<(u8, Codec)> {
    let means_other = |number: u8, codec: Codec| {
        let theirs = media.map_or(&[][..], |media| &media.formats);
        theirs.iter().any(|format| format.payload_type == number && format.codec != Some(codec))
    };
    let mut types = agreed.to_vec();
    for (number, codec) in [(0, Codec::Pcmu), (8, Codec::Pcma)] {
        if types.iter().all(|(known, _)| *known != number) && !means_other(number, codec) {
            types.push((number, codec));
        }
    }
    types
}

fn no_common_codec(theirs: &[&Media], local: &Local<'_>) -> SdpError {
    let formats = theirs.iter().flat_map(|media| &media.formats).filter(|format| format.event_clock_hz.is_none());
    SdpError::NoCommonCodec {
        theirs: Listed::new(formats.map(|format| &format.name)),
        ours: Listed::new(local.codecs.iter().map(|&codec| codec.rtpmap())),
    }
}

/// What we send per packet: what they ask for where we can, never more than they take.
fn ptime_for(media: &Media, codec: Codec) -> u32 {
    let can = |ptime: u32| PTIMES_MS.contains(&ptime) && codec.has_packets_of(ptime);
    let longest = media.maxptime_ms.unwrap_or(u32::MAX);
    let asked = media.ptime_ms.filter(|&asked| can(asked)).unwrap_or(PTIME_MS);
    if asked <= longest {
        return asked;
    }
    PTIMES_MS.into_iter().rfind(|&ptime| can(ptime) && ptime <= longest).unwrap_or(PTIMES_MS[0])
}

/// RFC 7587 §6.1: what is not said is not wanted.
fn opus_params(format: &Format) -> OpusParams {
    let says = |name: &str| format.parameter(name) == Some("1");
    OpusParams {
        fec: says("useinbandfec"),
        dtx: says("usedtx"),
        cbr: says("cbr"),
        max_bitrate: format.parameter("maxaveragebitrate").and_then(|bits| bits.parse().ok()),
    }
}

/// RFC 3605, or RFC 3550 §11: the next port.
fn rtcp_port(media: &Media, remote: Option<SocketAddr>) -> Option<SocketAddr> {
    let remote = remote?;
    match media.rtcp {
        Some((port, address)) => {
            let same_family = address.filter(|address| address.is_ipv4() == remote.is_ipv4());
            Some(SocketAddr::new(same_family.unwrap_or(remote.ip()), port))
        }
        None => Some(SocketAddr::new(remote.ip(), remote.port().checked_add(1)?)),
    }
}

/// RFC 8839 §4.2.5: who rewrote the addresses on the way (and not the candidates) would break the checks; and we answer
/// them on one port only.
fn ice_for(media: &Media, remote: Option<SocketAddr>, rtcp: Rtcp, local: &Local<'_>) -> Option<Box<Ice>> {
    let theirs = media.ice.as_ref().filter(|_| local.ice && rtcp == Rtcp::Mux)?;
    theirs.candidates.contains(&remote?).then(|| {
        let (ufrag, password) = local.random()[SRTP_SECRET..SRTP_SECRET + 24].split_at(6);
        Box::new(Ice {
            ufrag: crypto::letters(ufrag),
            password: crypto::letters(password),
            their_ufrag: Some(theirs.ufrag.clone()),
        })
    })
}

impl Local<'_> {
    fn random(&self) -> &[u8; 92] {
        assert!(self.keys != [0; 92], "whoever allows SRTP or ICE brings random bytes for its secrets");
        &self.keys
    }

    fn srtp_secret(&self) -> &[u8] {
        &self.random()[..SRTP_SECRET]
    }

    /// Other SRTP keys from now on.
    pub(super) fn renew_keys(&mut self) {
        crypto::renew(&mut self.keys[..SRTP_SECRET]);
    }
}

#[cfg(test)]
#[path = "negotiate_tests.rs"]
mod tests;
