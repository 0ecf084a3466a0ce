// Animated GIF (GIF89a), written from scratch: a palette, and for each picture its indices compressed by LZW.

// Pictures of a run as one that moves: `scale` times as large, `delay` hundredths of a second each, without end.
export function encodeGif(run, pictures, scale, delay) {
  const width = run.width * scale, height = run.height * scale, out = [];
  const word = value => out.push(value & 255, value >> 8);
  out.push(...ascii("GIF89a"));
  word(width);
  word(height);
  // A palette of 256 colours for all pictures.
  out.push(0xf7, 0, 0, ...palette(run.channels));
  out.push(0x21, 0xff, 11, ...ascii("NETSCAPE2.0"), 3, 1, 0, 0, 0);
  for (const pixels of pictures) {
    out.push(0x21, 0xf9, 4, 0);
    word(delay);
    out.push(0, 0, 0x2c, 0, 0, 0, 0);
    word(width);
    word(height);
    out.push(0, 8);
    const data = compress(indices(run, pixels, scale), 8);
    for (let at = 0; at < data.length; at += 255) {
      const block = data.slice(at, at + 255);
      out.push(block.length, ...block);
    }
    out.push(0);
  }
  out.push(0x3b);
  return Uint8Array.from(out);
}

function ascii(text) {
  return [...text].map(c => c.charCodeAt(0));
}

// Greys, or 6 x 7 x 6 reds, greens and blues: the eye sees green best.
function palette(channels) {
  const colours = [];
  for (let i = 0; i < 256; i++) {
    if (channels === 1) colours.push(i, i, i);
    else if (i < 252) colours.push(Math.floor(i / 42) * 51, Math.floor(i / 6) % 7 * 42.5, i % 6 * 51);
    else colours.push(0, 0, 0);
  }
  return colours;
}

function indices(run, pixels, scale) {
  const result = new Uint8Array(run.width * run.height * scale * scale);
  let at = 0;
  for (let y = 0; y < run.height * scale; y++) {
    for (let x = 0; x < run.width * scale; x++) {
      const from = (Math.floor(y / scale) * run.width + Math.floor(x / scale)) * run.channels;
      result[at++] = run.channels === 1 ? pixels[from]
        : Math.round(pixels[from] / 51) * 42 + Math.round(pixels[from + 1] / 42.5) * 6 + Math.round(pixels[from + 2] / 51);
    }
  }
  return result;
}

// LZW: codes for ever longer sequences that have been seen, each as few bits as the table needs; at 4096 entries it starts anew.
function compress(values, bits) {
  const clear = 1 << bits, end = clear + 1, bytes = [];
  let table, size, width, buffer = 0, filled = 0;
  const write = code => {
    buffer |= code << filled;
    filled += width;
    while (filled >= 8) {
      bytes.push(buffer & 255);
      buffer >>= 8;
      filled -= 8;
    }
  };
  const reset = () => {
    table = new Map();
    size = end + 1;
    width = bits + 1;
  };
  reset();
  write(clear);
  let prefix = values[0];
  for (let i = 1; i < values.length; i++) {
    const key = prefix << 8 | values[i], known = table.get(key);
    if (known !== undefined) {
      prefix = known;
      continue;
    }
    write(prefix);
    if (size === 4096) {
      write(clear);
      reset();
    } else {
      if (size === 1 << width) width++;
      table.set(key, size++);
    }
    prefix = values[i];
  }
  write(prefix);
  // A reader adds one more entry after the last code.
  if (size === 1 << width && width < 12) width++;
  write(end);
  if (filled) bytes.push(buffer & 255);
  return bytes;
}
