/* How a call of gRPC ends without an answer: HTTP's status is 200, and headers or trailers have the failure. */
import type { ServerHttp2Stream } from 'node:http2';

/* gRPC's status codes. */
export const INVALID_ARGUMENT = 3;
export const PERMISSION_DENIED = 7;
export const UNAVAILABLE = 14;

/** Ends a call with a status of gRPC, if it has not ended. */
export function endCall(stream: ServerHttp2Stream, status: number, message: string): void {
  if (stream.destroyed || stream.writableEnded) return;
  const trailers = { 'grpc-status': `${status}`, 'grpc-message': statusMessage(message) };
  if (!stream.headersSent) {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc', ...trailers }, { endStream: true });
    return;
  }
  stream.removeAllListeners('wantTrailers');
  stream.once('wantTrailers', () => stream.sendTrailers(trailers));
  stream.end();
}

/** Text as a header `grpc-message` has it: what is not printable ASCII, and "%", as percent and two hexadecimal digits. */
export function statusMessage(text: string): string {
  const encode = (byte: number): string =>
    byte >= 0x20 && byte <= 0x7e && byte !== 0x25
      ? String.fromCharCode(byte)
      : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  return [...Buffer.from(text)].map(encode).join('');
}
