/* needs: frame colors shader */
/* A sine network as a WebGL2 shader: every pixel of the screen asks it once. */

/* A length in two numbers, of which the first has few digits: its multiples up to the
   largest are exact in 32 bits. */
function inTwoParts(step, largest) {
  const unit = 2 ** (Math.ceil(Math.log2(largest)) - 22);
  const coarse = unit * Math.round(step / unit);
  return [coarse, step - coarse];
}

/* The first layer for one drawing, two texels a neuron. Its phases are large, and 32
   bits of a coordinate would be too few for them, above all in a deep zoom. So a phase
   is counted in pixels from the middle of the drawing: its part for a pixel down and for
   a pixel to the right, each in two parts; then the phase in the middle, reduced, and
   the two weights. */
function firstTexels({ outputs, W, b }, padded, view, width, height) {
  const [row, column, rows, columns] = view;
  const texels = new Float32Array(8 * padded);
  for (let j = 0; j < outputs; j++) {
    const [down, right] = [W[2 * j], W[2 * j + 1]];
    const largest = 1 + Math.abs(down * rows) + Math.abs(right * columns);
    const middle = (down * row + right * column + b[j]) % (2 * Math.PI);
    texels.set([...inTwoParts((down * rows) / height, largest),
      ...inTwoParts((right * columns) / width, largest), middle, down, right, 0], 8 * j);
  }
  return texels;
}

/* An axis of the tiles for one drawing. `seam` is as the first layer's phases are: the
   seam nearest the middle, how far the middle is beyond it, and a pixel in two parts,
   all in tiles. From tile `from` on, so many are to be seen. */
function axisOf({ count, first, perUnit, overlap }, middle, span, pixels) {
  const at = (middle - first) * perUnit;
  const wide = span * perUnit;
  const seam = between(Math.round(at), 1, Math.max(1, count - 1));
  const reach = Math.abs(wide) / 2 + overlap;  // more than half of it: it is rounded
  const from = between(Math.floor(at - reach), 0, count - 1);
  const to = between(Math.floor(at + reach), 0, count - 1);
  return { seam: [seam, at - seam, ...inTwoParts(wide / pixels, 1 + Math.abs(wide))],
    from, seen: to - from + 1 };
}

/* What is carried for each neuron, and how a sine changes it. With derivatives: value,
   slope along the rows, slope along the columns, Laplacian (chapter 10). */
const STATES = {
  float: `
#define State float
State still(float z) { return z; }
State phase(vec2 slopes) { return 0.0; }
State bend(vec2 t, State z) { return t.x; }
State bend(State z) { return sineAndCosine(z, 0.0).x; }`,
  vec4: `
#define State vec4
State still(float z) { return vec4(z, 0.0, 0.0, 0.0); }
State phase(vec2 slopes) { return vec4(0.0, slopes, 0.0); }
State bend(vec2 t, State z) {
  return vec4(t.x, t.y * z.yz, t.y * z.w - t.x * dot(z.yz, z.yz));
}
State bend(State z) { return bend(sineAndCosine(z.x, 0.0), z); }`,
};

/* The colors of each mode; "raw" gives the numbers of one output instead. */
const COLORS = {
  value: (outputs, part = "") => `
  vec3 unit = vec3(${[0, 1, 2].slice(0, outputs).map((k) => `result[${k}]${part}`)}
    ${outputs === 2 ? ", 0.0" : ""});
  color = vec4((unit - edges.x) / (edges.y - edges.x), 1.0);`,
  gradient: () => `
  color = vec4(texture(colors, vec2(length(mean.yz) / edges.z, 0.25)).rgb, 1.0);`,
  laplacian: () => `
  color = vec4(texture(colors, vec2(0.5 + 0.5 * mean.w / edges.w, 0.75)).rgb, 1.0);`,
  bands: (outputs) => `
  float across = place.x + float(${SLANT}) * (0.5 - place.y);
  if (across < cuts.x) {${COLORS.value(outputs, ".x")}
  } else if (across < cuts.y) {${COLORS.gradient()}
  } else {${COLORS.laplacian()}
  }`,
  raw: () => `
  color = result[channel];`,
};

/* The seam nearest a pixel along an axis, the share of the tile behind it, and the first
   two derivatives of that; a share times what a tile gives, by the product rule. */
const SEAMS = `
vec4 beside(vec4 axis, float away, int count, float scale) {
  if (count == 1) return vec4(1.0, 0.0, 0.0, 0.0);
  float seam = clamp(floor(axis.y + away * (axis.z + axis.w) + 0.5),
    1.0 - axis.x, float(count) - 1.0 - axis.x);
  float t = ((away * axis.z - seam) + (axis.y + away * axis.w)) / overlap + 0.5;
  t = clamp(t, 0.0, 1.0);
  float rest = t * (1.0 - t);
  return vec4(seam + axis.x, t * t * t * (10.0 + t * (6.0 * t - 15.0)),
    30.0 * scale * rest * rest, 60.0 * scale * scale * rest * (1.0 - 2.0 * t));
}
/* The share of the tile before the seam, or of the one behind it. */
vec3 side(vec4 seam, int behind) {
  return behind == 1 ? seam.yzw : vec3(1.0 - seam.y, -seam.zw);
}
float blended(vec3 y, vec3 x, float found) { return y.x * x.x * found; }
vec4 blended(vec3 y, vec3 x, vec4 found) {
  vec2 slopes = vec2(y.y * x.x, y.x * x.y);
  return y.x * x.x * found + vec4(0.0, slopes * found.x,
    (y.z * x.x + y.x * x.z) * found.x + 2.0 * dot(slopes, found.yz));
}`;

function fragmentSource(network, plan, mode) {
  const state = mode === "value" ? "float" : "vec4";
  const [, ...rest] = network.tiles[0];
  const last = rest.pop();
  const counts = network.axes.map(({ count }) => count);
  return `#version 300 es
precision highp float;
precision highp int;
precision highp sampler2D;
uniform sampler2D first;
uniform sampler2D weights;
uniform sampler2D pixels;
uniform sampler2D colors;
uniform vec2 size;    // of the drawing, in pixels
uniform vec4 view;    // its center (row, column) and what it spans
uniform vec4 extent;  // of the training picture: first edges and spans
uniform vec4 edges;   // as pixelColor takes them
uniform vec2 cuts;    // between the bands
uniform float split;  // left of it stand the training pixels
uniform int channel;
uniform vec4 seamDown, seamRight;  // of the axes of the tiles, as axisOf gives them
uniform ivec3 seen;    // the first tile of the first texture, and tiles in its rows
uniform float overlap;
uniform vec2 scale;    // overlaps in a unit of the coordinates
out vec4 color;
#define PADDED ${plan.padded}
#define QUADS ${plan.quads}
#define TEXELS ${plan.each}
#define OUTPUTS ${last.outputs}
#define COUNTS ivec2(${counts})
#define SIDES ivec2(${counts.map((count) => Math.min(2, count))})
${ASKING}
${STATES[state]}
${SEAMS}
/* Add the share of one tile. */
void add(ivec2 tile, vec2 steps, vec3 y, vec3 x, inout State result[OUTPUTS]) {
  int start = 2 * PADDED * ((tile.x - seen.x) * seen.z + tile.y - seen.y);
  State now[PADDED];
  for (int j = 0; j < PADDED; j++) {
    vec4 each = texel(first, start + 2 * j);
    vec4 rest = texel(first, start + 2 * j + 1);
    vec2 t = sineAndCosine(dot(steps.yx, each.xz), dot(steps.yx, each.yw) + rest.x);
    now[j] = bend(t, phase(rest.yz));
  }
  start = TEXELS * (tile.x * COUNTS.y + tile.y);
  ${hiddenLayers(rest.length)}
  for (int j = 0; j < OUTPUTS; j++) {
    ${lastLayer(last)}
    result[j] += blended(y, x, z);
  }
}
void main() {
  vec2 place = gl_FragCoord.xy / size;
  vec2 at = view.xy + vec2(0.5 - place.y, place.x - 0.5) * view.zw;
  vec2 inside = (at - extent.xy) / extent.zw;
  vec2 beyond = abs(inside - 0.5) - 0.5;
  if (place.x < split) {
    color = max(beyond.x, beyond.y) > 0.0
      ? vec4(0.5, 0.5, 0.5, 1.0) : vec4(texture(pixels, inside.yx).rgb, 1.0);
    return;
  }
  vec2 steps = (gl_FragCoord.xy - 0.5 * size) * vec2(1.0, -1.0);  // right, down
  State result[OUTPUTS];
  State mean = still(0.0);
  for (int j = 0; j < OUTPUTS; j++) result[j] = mean;
  vec4 down = beside(seamDown, steps.y, COUNTS.x, scale.x);
  vec4 right = beside(seamRight, steps.x, COUNTS.y, scale.y);
  for (int i = 0; i < SIDES.x; i++) {
    for (int k = 0; k < SIDES.y; k++) {
      vec3 y = side(down, i), x = side(right, k);
      if (y.x * x.x <= 0.0) continue;
      add(ivec2(int(down.x) - 1 + i, int(right.x) - 1 + k), steps, y, x, result);
    }
  }
  for (int j = 0; j < OUTPUTS; j++) mean += result[j] / float(OUTPUTS);
  ${COLORS[mode](last.outputs)}
  vec2 thin = abs(1.5 * view.zw / (size.yx * extent.zw));  // a line around the picture
  float edge = max(beyond.x, beyond.y);
  if (edge > 0.0 && all(lessThan(beyond, thin)) && ${mode !== "raw"}) {
    color = vec4(0.85, 0.45, 0.1, 1.0);
  }
}`;
}

/* Draws the network with WebGL2, or throws where it cannot. */
class ShaderRenderer extends ShaderStage {
  constructor(network, { pixels, colors }, lost = () => {}) {
    super(network, colors, lost);
    this.most = Infinity;  // pixels of a drawing
    const { gl } = this;
    this.texture(1, gl.NEAREST);
    if (pixels) {
      gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, pixels);
    }
    this.program("value");
  }

  program(mode) {
    this.programs[mode] ??=
      compileProgram(this.gl, fragmentSource(this.network, this.plan, mode));
    return this.programs[mode];
  }

  /* Fill the current target, of that size in pixels, or the scissor's part of it. */
  fill(scene, width, height) {
    const gl = this.gl;
    const program = this.program(scene.mode);
    gl.useProgram(program);
    const at = (name) => gl.getUniformLocation(program, name);
    ["weights", "pixels", "colors"].forEach((name, i) => gl.uniform1i(at(name), i));
    gl.uniform1i(at("first"), 4);
    this.place(scene.view, width, height, at);
    gl.uniform2f(at("size"), width, height);
    gl.uniform4f(at("view"), ...scene.view);
    gl.uniform4f(at("extent"), ...scene.extent);
    gl.uniform4f(at("edges"), ...scene.edges);
    gl.uniform2f(at("cuts"), ...scene.cuts);
    gl.uniform1f(at("split"), scene.split);
    gl.uniform1i(at("channel"), scene.channel ?? 0);
    gl.viewport(0, 0, width, height);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
  }

  /* Tell the shader where the tiles are, and fill in the first layers of those that are
     to be seen, unless they are there from the strip before. */
  place(view, width, height, at) {
    const gl = this.gl;
    const { axes, tiles } = this.network;
    const [down, right] = [axisOf(axes[0], view[0], view[2], height),
      axisOf(axes[1], view[1], view[3], width)];
    gl.uniform4f(at("seamDown"), ...down.seam);
    gl.uniform4f(at("seamRight"), ...right.seam);
    gl.uniform3i(at("seen"), down.from, right.from, right.seen);
    gl.uniform1f(at("overlap"), axes[0].overlap);
    gl.uniform2f(at("scale"), ...axes.map(({ perUnit, overlap }) => perUnit / overlap));
    const placed = String([view, width, height]);
    if (placed === this.placed) return;
    const each = 8 * this.plan.padded;
    const count = down.seen * right.seen;
    const texels = new Float32Array(4 * ROW * rowsFor((each / 4) * count));
    for (let i = 0; i < count; i++) {
      const row = down.from + Math.floor(i / right.seen);
      const [first] = tiles[row * axes[1].count + right.from + (i % right.seen)];
      texels.set(firstTexels(first, this.plan.padded, view, width, height), each * i);
    }
    gl.activeTexture(gl.TEXTURE4);
    this.fillRows(texels);
    this.placed = placed;
  }
}
