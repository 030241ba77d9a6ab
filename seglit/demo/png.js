// PNG files with exact pixel values; a canvas would turn them into RGBA.
const CRC = Uint32Array.from({ length: 256 }, (_, value) => {
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

function chunk(type, data) {
  const bytes = new Uint8Array(12 + data.length), view = new DataView(bytes.buffer);
  view.setUint32(0, data.length);
  bytes.set([...type].map((letter) => letter.charCodeAt(0)), 4);
  bytes.set(data, 8);
  let crc = 0xffffffff;
  for (const byte of bytes.subarray(4, -4)) crc = CRC[(crc ^ byte) & 255] ^ (crc >>> 8);
  view.setUint32(8 + data.length, ~crc >>> 0);
  return bytes;
}

// Encodes a mask, class indices (height * width), as its classes are stored: `stored` has the value, or the colour
// [r, g, b], of each of the 256 indices. Values up to 255 get a palette of `colors`, RGB of each index.
export async function encodeMask(mask, width, height, stored, colors) {
  const inColor = Array.isArray(stored[0]), channels = inColor ? 3 : Math.max(...stored) > 255 ? 2 : 1;
  const table = stored.map((value) => (inColor ? value : [value >> 8, value & 255].slice(-channels)));
  const rows = new Uint8Array(height * (1 + width * channels)); // a row begins with its filter, 0: none
  for (let y = 0, at = 0, index = 0; y < height; y++) {
    at++;
    for (let x = 0; x < width; x++) for (const byte of table[mask[index++]]) rows[at++] = byte;
  }
  const header = new Uint8Array(13), view = new DataView(header.buffer), palette = new Uint8Array(768);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header.set([channels === 2 ? 16 : 8, { 1: 3, 2: 0, 3: 2 }[channels]], 8); // bits, and palette, grey or RGB
  if (channels === 1) stored.forEach((value, index) => palette.set(colors[index], 3 * value));
  const packed = new Blob([rows]).stream().pipeThrough(new CompressionStream("deflate"));
  const data = new Uint8Array(await new Response(packed).arrayBuffer());
  const signature = Uint8Array.of(137, 80, 78, 71, 13, 10, 26, 10);
  const chunks = [chunk("IHDR", header), ...(channels === 1 ? [chunk("PLTE", palette)] : []), chunk("IDAT", data), chunk("IEND", new Uint8Array(0))];
  return new Blob([signature, ...chunks], { type: "image/png" });
}
