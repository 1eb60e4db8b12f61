/** Order ids: UUIDv7 (RFC 9562), made here so that a retried order is known again by the server. */

let lastMillis = 0;
let lastSequence = 0;

/** A fresh UUIDv7. Ids made in one browser tab sort in the order they were made, even within one millisecond. */
export function uuid7(now: number = Date.now()): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  if (now > lastMillis) {
    lastMillis = now;
    lastSequence = ((bytes[6] & 0x07) << 8) | bytes[7];
  } else {
    lastSequence += 1;
    if (lastSequence > 0xfff) {
      lastSequence = 0;
      lastMillis += 1;
    }
  }
  let rest = lastMillis;
  for (let index = 5; index >= 0; index -= 1) {
    bytes[index] = rest % 256;
    rest = Math.floor(rest / 256);
  }
  bytes[6] = 0x70 | (lastSequence >> 8);
  bytes[7] = lastSequence & 0xff;
  bytes[8] = 0x80 | (bytes[8] & 0x3f);
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}
