/*
 * DNS messages on the wire (RFC 1035 §4, EDNS RFC 6891): a query read defensively, a reply that fits its transport.
 *
 * Queries come from containers, which nobody trusts: sizes and counts are bounded before anything is decoded, since
 * a 64 KB message of compressed names would cost more to decode than to send.
 */
import dnsPacket, { type Answer, type DecodedPacket, type OptAnswer, type Packet } from 'dns-packet';

const HEADER_SIZE = 12;
/** No question needs more, with every EDNS option in use. */
const MAX_QUERY_SIZE = 4096;
/** OPT, TSIG, SIG(0) and one more. */
const MAX_ADDITIONALS = 4;
/** What a client without EDNS can take over UDP (RFC 1035 §4.2.1). */
const PLAIN_UDP_SIZE = 512;
/** What we tell clients that we take, and the most that we send over UDP: the way is a loopback device. */
const EDNS_SIZE = 4096;

export const rcodes = {
  NOERROR: 0,
  FORMERR: 1,
  SERVFAIL: 2,
  NXDOMAIN: 3,
  NOTIMP: 4,
  REFUSED: 5,
  BADVERS: 16,
};
export type Rcode = keyof typeof rcodes;

export type Transport = 'udp' | 'tcp';

export interface Question {
  readonly name: string;
  readonly type: string;
  /**
   * Whether the name means what its text says. A label with a dot or with bytes that are not UTF-8 inside is legal,
   * but has the text of another name.
   */
  readonly plain: boolean;
}

export interface Query {
  /** The message as it came. */
  readonly wire: Buffer;
  readonly question: Question & { readonly class: string; readonly wire: Buffer };
  readonly edns?: { readonly size: number; readonly version: number; readonly dnssecOk: boolean };
}

export type Parsed =
  | { readonly kind: 'query'; readonly query: Query }
  /** Answer with this and look no further. */
  | { readonly kind: 'reply'; readonly reply: Buffer }
  | { readonly kind: 'ignore' };

export function parseQuery(wire: Buffer): Parsed {
  // Answering what may be a reply is how two servers start to talk to each other for ever.
  if (wire.length < HEADER_SIZE || isReply(wire)) return { kind: 'ignore' };
  if ((wire.readUInt8(2) & 0x78) !== 0) return { kind: 'reply', reply: headerReply(wire, 'NOTIMP') };
  const formError: Parsed = { kind: 'reply', reply: headerReply(wire, 'FORMERR') };
  if (wire.length > MAX_QUERY_SIZE || !countsAreSane(wire)) return formError;

  const query = decodeQuery(wire);
  return query ? { kind: 'query', query } : formError;
}

function decodeQuery(wire: Buffer): Query | undefined {
  const packet = decode(wire);
  const asked = packet?.questions?.[0];
  const size = questionSize(wire);
  if (!packet || !asked || size === undefined) return undefined;
  const questionWire = wire.subarray(HEADER_SIZE, HEADER_SIZE + size);
  const question = {
    name: asked.name,
    type: asked.type,
    class: asked.class ?? 'IN',
    plain: encodeName(asked.name).equals(questionWire.subarray(0, -4)),
    wire: questionWire,
  };
  const opt = packet.additionals?.find((record): record is OptAnswer => record.type === 'OPT');
  if (!opt) return { wire, question };
  const edns = { size: opt.udpPayloadSize, version: opt.ednsVersion, dnssecOk: (opt.flags & 0x8000) !== 0 };
  return { wire, question, edns };
}

/** A reply without records: an error, or the fact that there are none. */
export function emptyReply(query: Query, rcode: Rcode): Buffer {
  const head = headerReply(query.wire, rcode);
  head.writeUInt16BE(1, 4);
  const opt = optRecord(query, rcode);
  if (!opt) return Buffer.concat([head, query.question.wire]);
  head.writeUInt16BE(1, 10);
  const additional = dnsPacket.encode({ additionals: [opt] }).subarray(HEADER_SIZE);
  return Buffer.concat([head, query.question.wire, additional]);
}

/**
 * A reply with our records. Over UDP, as many as fit, marked as truncated if that is not all: most resolvers then
 * ask again over TCP, and those that do not still have something.
 */
export function answerReply(query: Query, records: readonly Answer[], transport: Transport): Buffer {
  const opt = optRecord(query, 'NOERROR');
  const packet: Packet = {
    type: 'response',
    id: query.wire.readUInt16BE(0),
    flags: replyFlags(query.wire) | dnsPacket.AUTHORITATIVE_ANSWER,
    questions: [query.question as NonNullable<Packet['questions']>[number]],
    additionals: opt ? [opt] : [],
  };
  const limit = transport === 'tcp' ? 0xffff : udpLimit(query);
  const answers: Answer[] = [];
  let size = dnsPacket.encodingLength(packet);
  for (const record of records) {
    size += dnsPacket.encodingLength({ answers: [record] }) - HEADER_SIZE;
    if (size > limit) {
      packet.flags = (packet.flags ?? 0) | dnsPacket.TRUNCATED_RESPONSE;
      break;
    }
    answers.push(record);
  }
  return dnsPacket.encode({ ...packet, answers });
}

/** Whether a message from an upstream is the reply to this query, sent with this id. */
export function isReplyTo(reply: Buffer, query: Query, id: number): boolean {
  if (reply.length < HEADER_SIZE || !isReply(reply) || reply.readUInt16BE(0) !== id) return false;
  // Some servers answer an error without repeating the question.
  if (reply.readUInt16BE(4) === 0) return replyCode(reply) !== rcodes.NOERROR;
  const asked = query.question.wire;
  const repeated = reply.subarray(HEADER_SIZE, HEADER_SIZE + asked.length);
  return repeated.toString('latin1').toLowerCase() === asked.toString('latin1').toLowerCase();
}

export function replyCode(reply: Buffer): number {
  return reply.readUInt8(3) & 0x0f;
}

/** The same message with another id. */
export function withId(message: Buffer, id: number): Buffer {
  const copy = Buffer.from(message);
  copy.writeUInt16BE(id, 0);
  return copy;
}

function isReply(wire: Buffer): boolean {
  return (wire.readUInt8(2) & 0x80) !== 0;
}

function countsAreSane(wire: Buffer): boolean {
  const [questions, answers, authorities, additionals] = [4, 6, 8, 10].map((at) => wire.readUInt16BE(at));
  return questions === 1 && answers === 0 && authorities === 0 && (additionals ?? 0) <= MAX_ADDITIONALS;
}

function decode(wire: Buffer): DecodedPacket | undefined {
  try {
    return dnsPacket.decode(wire);
  } catch {
    return undefined;
  }
}

function encodeName(name: string): Buffer {
  return dnsPacket.encode({ questions: [{ name, type: 'A' }] }).subarray(HEADER_SIZE, -4);
}

/** Bytes of the first question; undefined if its name is compressed, for which there is nothing to point at. */
function questionSize(wire: Buffer): number | undefined {
  let at = HEADER_SIZE;
  while (at < wire.length) {
    const length = wire.readUInt8(at);
    if (length > 63) return undefined;
    at += length + 1;
    if (length === 0) return at + 4 <= wire.length ? at + 4 - HEADER_SIZE : undefined;
  }
  return undefined;
}

/** The header of a reply: same id, opcode, "recursion desired" and "checking disabled"; no records. */
function headerReply(wire: Buffer, rcode: Rcode): Buffer {
  const head = Buffer.alloc(HEADER_SIZE);
  head.writeUInt16BE(wire.readUInt16BE(0), 0);
  head.writeUInt16BE(0x8000 | replyFlags(wire) | (rcodes[rcode] & 0x0f), 2);
  return head;
}

function replyFlags(wire: Buffer): number {
  return (wire.readUInt16BE(2) & 0x7910) | dnsPacket.RECURSION_AVAILABLE;
}

function udpLimit(query: Query): number {
  if (!query.edns) return PLAIN_UDP_SIZE;
  return Math.min(Math.max(query.edns.size, PLAIN_UDP_SIZE), EDNS_SIZE);
}

function optRecord(query: Query, rcode: Rcode): OptAnswer | undefined {
  if (!query.edns) return undefined;
  return {
    name: '.',
    type: 'OPT',
    udpPayloadSize: EDNS_SIZE,
    extendedRcode: rcodes[rcode] >> 4,
    ednsVersion: 0,
    flags: query.edns.dnssecOk ? 0x8000 : 0,
    flag_do: query.edns.dnssecOk,
    options: [],
  };
}
