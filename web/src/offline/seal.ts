/** Sealing what the browser must keep: AES-GCM under the key of the stay, bound to the order's id. Only the server can open it later. */

export interface Stay {
  /** The pass as the server wrote it: whose stay this is. */
  pass: string;
  person: string;
  /** When the stay ends at the longest (ms). */
  until: number;
  key: CryptoKey;
}

export const toBase64 = (data: Uint8Array): string => btoa(Array.from(data, (byte) => String.fromCharCode(byte)).join(""));
export const fromBase64 = (text: string): Uint8Array<ArrayBuffer> => Uint8Array.from(atob(text), (char) => char.charCodeAt(0));

/** The key of a stay; scripts can use it but never read it, and its bytes are kept nowhere. */
export function importKey(text: string): Promise<CryptoKey> {
  return crypto.subtle.importKey("raw", fromBase64(text), "AES-GCM", false, ["encrypt", "decrypt"]);
}

const bound = (name: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(name);
const ivBytes = 12;

export async function seal(key: CryptoKey, name: string, content: unknown): Promise<string> {
  const iv = crypto.getRandomValues(new Uint8Array(ivBytes));
  const data = new TextEncoder().encode(JSON.stringify(content));
  const sealed = new Uint8Array(await crypto.subtle.encrypt({ name: "AES-GCM", iv, additionalData: bound(name) }, key, data));
  const all = new Uint8Array(ivBytes + sealed.length);
  all.set(iv);
  all.set(sealed, ivBytes);
  return toBase64(all);
}

/** What was sealed under this name with this key; null when it was another's. */
export async function unseal<T>(key: CryptoKey, name: string, sealed: string): Promise<T | null> {
  const all = fromBase64(sealed);
  try {
    const data = await crypto.subtle.decrypt({ name: "AES-GCM", iv: all.subarray(0, ivBytes), additionalData: bound(name) }, key, all.subarray(ivBytes));
    return JSON.parse(new TextDecoder().decode(data)) as T;
  } catch (error) {
    if (error instanceof DOMException && error.name === "OperationError") return null;
    throw error;
  }
}

export const canSeal = (): boolean => typeof indexedDB !== "undefined" && typeof crypto !== "undefined" && Boolean(crypto.subtle);
