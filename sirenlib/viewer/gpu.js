/* needs: frame */
/* A sine network as a WebGL2 shader: every pixel of the screen asks it once. */

const VERTEX = `#version 300 es
in vec2 corner;
void main() { gl_Position = vec4(corner, 0.0, 1.0); }`;

/* How the weights behind the first layer lie in a texture of four numbers a texel: each
   layer has `quads` texels a neuron, then its biases. Widths are filled up with zeros to
   a multiple of four. */
function packTexels({ layers: [first, ...rest] }) {
  const quads = Math.ceil(first.outputs / 4);
  const padded = 4 * quads;
  const sizes = rest.map(({ outputs }) => Math.ceil(outputs / 4));
  const counts = sizes.map((size) => 4 * size * quads + size);
  const width = 1024;
  const height = Math.ceil(counts.reduce((a, b) => a + b, 0) / width);
  const texels = new Float32Array(4 * width * height);
  let start = 0;
  rest.forEach(({ inputs, outputs, W, b }, i) => {
    for (let j = 0; j < outputs; j++) {
      texels.set(W.subarray(j * inputs, (j + 1) * inputs), start + j * padded);
    }
    texels.set(b, start + 4 * sizes[i] * padded);
    start += 4 * counts[i];
  });
  return { texels, width, height, quads, padded };
}

/* The first layer for one drawing, two texels a neuron. Its phases are large, and 32
   bits of a coordinate would be too few for them, above all in a deep zoom. So a phase
   is counted in pixels from the middle of the drawing: its part for a pixel down and for
   a pixel to the right, each in two numbers of which the first has few digits, so that
   its multiples are exact; then the phase in the middle, reduced, and the two weights. */
function firstTexels({ outputs, W, b }, padded, view, width, height) {
  const [row, column, rows, columns] = view;
  const texels = new Float32Array(8 * padded);
  for (let j = 0; j < outputs; j++) {
    const [down, right] = [W[2 * j], W[2 * j + 1]];
    const largest = 1 + Math.abs(down * rows) + Math.abs(right * columns);
    const unit = 2 ** (Math.ceil(Math.log2(largest)) - 22);
    const halves = (step) => {
      const coarse = unit * Math.round(step / unit);
      return [coarse, step - coarse];
    };
    const middle = (down * row + right * column + b[j]) % (2 * Math.PI);
    texels.set([...halves((down * rows) / height), ...halves((right * columns) / width),
      middle, down, right, 0], 8 * j);
  }
  return texels;
}

/* The sine and the cosine of a phase in two parts. The built-in ones may be off by 5e-4:
   whole quarter turns are taken away in three steps (Cody and Waite), and short
   polynomials (Cephes) do the rest. */
const SINE = `
vec2 sineAndCosine(float coarse, float fine) {
  float turns = floor((coarse + fine) * 0.63661977237 + 0.5);
  float r = (coarse - turns * 1.5703125) - turns * 4.837512969970703e-4;
  r += fine - turns * 7.54978995489188e-8;
  float q = r * r;
  float s = r + r * q * (-1.6666654611e-1 + q * (8.3321608736e-3 - q * 1.9515295891e-4));
  float c = 1.0 - 0.5 * q + q * q * (4.166664568298827e-2
    + q * (-1.388731625493765e-3 + q * 2.443315711809948e-5));
  int quarter = int(turns) & 3;
  vec2 found = (quarter & 1) == 1 ? vec2(c, -s) : vec2(s, c);
  return quarter > 1 ? -found : found;
}`;

/* What is carried for each neuron, and how a sine changes it. With derivatives: value,
   slope along the rows, slope along the columns, Laplacian (chapter 9). */
const STATES = {
  float: `
#define State float
State phase(float z, vec2 slopes) { return z; }
State bend(vec2 t, State z) { return t.x; }
State bend(State z) { return sineAndCosine(z, 0.0).x; }`,
  vec4: `
#define State vec4
State phase(float z, vec2 slopes) { return vec4(z, slopes, 0.0); }
State bend(vec2 t, State z) {
  return vec4(t.x, t.y * z.yz, t.y * z.w - t.x * dot(z.yz, z.yz));
}
State bend(State z) { return bend(sineAndCosine(z.x, 0.0), z); }`,
};

/* The colors of each mode; "raw" gives the numbers of one output instead. */
const COLORS = {
  value: (outputs) => `
  vec3 unit = vec3(${["result[0]", "result[0], result[1], 0.0",
    "result[0], result[1], result[2]"][outputs - 1]});
  color = vec4((unit - edges.x) / (edges.y - edges.x), 1.0);`,
  gradient: () => `
  color = vec4(texture(colors, vec2(length(mean.yz) / edges.y, 0.25)).rgb, 1.0);`,
  laplacian: () => `
  color = vec4(texture(colors, vec2(0.5 + 0.5 * mean.w / edges.y, 0.75)).rgb, 1.0);`,
  raw: () => `
  color = result[channel];`,
};

function fragmentSource(network, plan, mode) {
  const state = mode === "value" ? "float" : "vec4";
  const [, ...rest] = network.layers;
  const last = rest.pop();
  const product = (name) => `
      for (int k = 0; k < QUADS; k++) {
        vec4 w = weight(row + k);
        int i = 4 * k;
        z += w.x * ${name}[i] + w.y * ${name}[i + 1]
          + w.z * ${name}[i + 2] + w.w * ${name}[i + 3];
      }`;
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
uniform vec2 edges;   // values that are drawn as the first and the last color
uniform float split;  // left of it stand the training pixels
uniform int channel;
out vec4 color;
#define PADDED ${plan.padded}
#define QUADS ${plan.quads}
${SINE}
${STATES[state]}
vec4 weight(int i) {
  return texelFetch(weights, ivec2(i % ${plan.width}, i / ${plan.width}), 0);
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
  State now[PADDED];
  for (int j = 0; j < PADDED; j++) {
    vec4 each = texelFetch(first, ivec2(2 * j, 0), 0);
    vec4 rest = texelFetch(first, ivec2(2 * j + 1, 0), 0);
    vec2 t = sineAndCosine(dot(steps.yx, each.xz), dot(steps.yx, each.yw) + rest.x);
    now[j] = bend(t, phase(0.0, rest.yz));
  }
  int start = 0;
  ${rest.length ? `State next[PADDED];
  for (int layer = 0; layer < ${rest.length}; layer++) {
    for (int j = 0; j < PADDED; j++) {
      int row = start + j * QUADS;
      State z = phase(weight(start + PADDED * QUADS + (j >> 2))[j & 3], vec2(0.0));
      ${product("now")}
      next[j] = bend(z);
    }
    for (int j = 0; j < PADDED; j++) now[j] = next[j];
    start += PADDED * QUADS + QUADS;
  }` : ""}
  State result[${last.outputs}];
  State mean = phase(0.0, vec2(0.0));
  for (int j = 0; j < ${last.outputs}; j++) {
    int row = start + j * QUADS;
    State z = phase(weight(start + 4 * QUADS)[j], vec2(0.0));
    ${product("now")}
    result[j] = ${last.sine ? "bend(z)" : "z"};
    mean += result[j] / ${last.outputs}.0;
  }
  ${COLORS[mode](last.outputs)}
  vec2 thin = abs(1.5 * view.zw / (size.yx * extent.zw));  // a line around the picture
  float edge = max(beyond.x, beyond.y);
  if (edge > 0.0 && all(lessThan(beyond, thin)) && ${mode !== "raw"}) {
    color = vec4(0.85, 0.45, 0.1, 1.0);
  }
}`;
}

function compileProgram(gl, fragment) {
  const program = gl.createProgram();
  const sources = [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, fragment]];
  for (const [kind, source] of sources) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.bindAttribLocation(program, 0, "corner");
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS)) {
    const logs = gl.getAttachedShaders(program).map((each) => gl.getShaderInfoLog(each));
    throw new Error([gl.getProgramInfoLog(program), ...logs].join(" "));
  }
  return program;
}

/* Draws the network with WebGL2, or throws where it cannot. */
class ShaderRenderer {
  constructor(network, { pixels, colors }, lost = () => {}) {
    this.canvas = element("canvas");
    const gl = this.canvas.getContext("webgl2",
      { antialias: false, preserveDrawingBuffer: true });
    if (!gl) throw new Error("there is no WebGL2");
    this.gl = gl;
    this.network = network;
    this.plan = packTexels(network);
    this.programs = {};
    this.canvas.addEventListener("webglcontextlost", lost);
    gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
    const triangle = new Float32Array([-1, -1, 3, -1, -1, 3]);
    gl.bufferData(gl.ARRAY_BUFFER, triangle, gl.STATIC_DRAW);
    gl.enableVertexAttribArray(0);
    gl.vertexAttribPointer(0, 2, gl.FLOAT, false, 0, 0);
    this.texture(0, gl.NEAREST);
    const { texels, width, height } = this.plan;
    this.fillTexture(gl.RGBA32F, width, height, gl.FLOAT, texels);
    this.texture(1, gl.NEAREST);
    if (pixels) {
      gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, pixels);
    }
    this.texture(2, gl.LINEAR);
    this.fillTexture(gl.RGBA8, 256, 2, gl.UNSIGNED_BYTE, colors);
    this.small = gl.createFramebuffer();
    this.smallTexture = this.texture(3, gl.LINEAR);
    this.texture(4, gl.NEAREST);
    this.program("value");
  }

  texture(unit, filter) {
    const gl = this.gl;
    const texture = gl.createTexture();
    gl.activeTexture(gl.TEXTURE0 + unit);
    gl.bindTexture(gl.TEXTURE_2D, texture);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, filter);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, filter);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE);
    return texture;
  }

  fillTexture(form, width, height, kind, data) {
    const gl = this.gl;
    gl.texImage2D(gl.TEXTURE_2D, 0, form, width, height, 0, gl.RGBA, kind, data);
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
    gl.activeTexture(gl.TEXTURE4);
    const { padded } = this.plan;
    const texels = firstTexels(this.network.layers[0], padded, scene.view, width, height);
    this.fillTexture(gl.RGBA32F, 2 * padded, 1, gl.FLOAT, texels);
    gl.uniform2f(at("size"), width, height);
    gl.uniform4f(at("view"), ...scene.view);
    gl.uniform4f(at("extent"), ...scene.extent);
    gl.uniform2f(at("edges"), ...scene.edges);
    gl.uniform1f(at("split"), scene.split);
    gl.uniform1i(at("channel"), scene.channel ?? 0);
    gl.viewport(0, 0, width, height);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
  }

  /* Soon a coarse picture, and once nothing has moved for a while the fine one: in
     strips, a strip a frame, so that a slow GPU does not stop the page. */
  draw(scene, done) {
    this.scene = scene;
    this.drawSmall(scene);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.drawStrips(scene, this.canvas.height, done), 120);
  }

  drawSmall(scene) {
    const gl = this.gl;
    const { width, height } = this.canvas;
    const [w, h] = [Math.ceil(width / 3), Math.ceil(height / 3)];
    gl.disable(gl.SCISSOR_TEST);
    gl.activeTexture(gl.TEXTURE3);
    this.fillTexture(gl.RGBA8, w, h, gl.UNSIGNED_BYTE, null);
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.small);
    gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D,
      this.smallTexture, 0);
    this.fill(scene, w, h);
    gl.bindFramebuffer(gl.READ_FRAMEBUFFER, this.small);
    gl.bindFramebuffer(gl.DRAW_FRAMEBUFFER, null);
    gl.blitFramebuffer(0, 0, w, h, 0, 0, width, height, gl.COLOR_BUFFER_BIT, gl.LINEAR);
    gl.bindFramebuffer(gl.FRAMEBUFFER, null);
  }

  drawStrips(scene, top, done) {
    const gl = this.gl;
    const { width, height } = this.canvas;
    if (scene !== this.scene) return;
    if (top <= 0) {
      done();
      return;
    }
    const bottom = Math.max(0, top - Math.ceil(height / 8));
    gl.enable(gl.SCISSOR_TEST);
    gl.scissor(0, bottom, width, top - bottom);
    this.fill(scene, width, height);
    requestAnimationFrame(() => this.drawStrips(scene, bottom, done));
  }
}

/* Whether WebGL2 is there and is computed by a graphics processor. */
function hasFastShaders() {
  const gl = document.createElement("canvas").getContext("webgl2");
  if (!gl) return false;
  const names = gl.getExtension("WEBGL_debug_renderer_info");
  const name = gl.getParameter(names ? names.UNMASKED_RENDERER_WEBGL : gl.RENDERER);
  gl.getExtension("WEBGL_lose_context")?.loseContext();
  return !/swiftshader|llvmpipe|softpipe|software|basic render/i.test(name);
}
