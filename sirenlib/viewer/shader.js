/* needs: frame */
/* What a WebGL2 shader needs that asks a sine network for every pixel of the screen. */

const VERTEX = `#version 300 es
in vec2 corner;
void main() { gl_Position = vec4(corner, 0.0, 1.0); }`;

const ROW = 1024;  // texels in a row of a texture

function rowsFor(texels) {
  return Math.ceil(texels / ROW);
}

/* How the weights behind the first layer lie in a texture of four numbers a texel: tile
   after tile, each of `each` texels, and in it each layer has `quads` texels a neuron,
   then its biases. Widths are filled up with zeros to a multiple of four. */
function packTexels({ tiles }) {
  const [first, ...rest] = tiles[0];
  const quads = Math.ceil(first.outputs / 4);
  const padded = 4 * quads;
  const sizes = rest.map(({ outputs }) => Math.ceil(outputs / 4));
  const counts = sizes.map((size) => 4 * size * quads + size);
  const each = counts.reduce((a, b) => a + b, 0);
  const texels = new Float32Array(4 * ROW * rowsFor(each * tiles.length));
  let start = 0;
  for (const [, ...layers] of tiles) {
    layers.forEach(({ inputs, outputs, W, b }, i) => {
      for (let j = 0; j < outputs; j++) {
        texels.set(W.subarray(j * inputs, (j + 1) * inputs), start + j * padded);
      }
      texels.set(b, start + 4 * sizes[i] * padded);
      start += 4 * counts[i];
    });
  }
  return { texels, each, quads, padded };
}

/* The sine and the cosine of a phase in two parts. The built-in ones may be off by 5e-4:
   whole quarter turns are taken away in three steps (Cody and Waite), and short
   polynomials (Cephes) do the rest. */
const ASKING = `
vec4 texel(sampler2D from, int i) {
  return texelFetch(from, ivec2(i & ${ROW - 1}, i >> ${Math.log2(ROW)}), 0);
}
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

/* Add to `z` what the neurons before give to the one whose weights begin at `row`. */
const PRODUCT = `
      for (int k = 0; k < QUADS; k++) {
        vec4 w = texel(weights, row + k);
        int i = 4 * k;
        z += w.x * now[i] + w.y * now[i + 1] + w.z * now[i + 2] + w.w * now[i + 3];
      }`;

/* So many hidden layers, from `State now[PADDED]` to itself. Their weights begin at
   `start`, which moves to those of the last layer. still(z) is a State that has the
   value z everywhere, and bend(z) the sine of one. */
function hiddenLayers(count) {
  return count ? `State next[PADDED];
  for (int layer = 0; layer < ${count}; layer++) {
    for (int j = 0; j < PADDED; j++) {
      int row = start + j * QUADS;
      vec4 biases = texel(weights, start + PADDED * QUADS + (j >> 2));
      State z = still(biases[j & 3]);
      ${PRODUCT}
      next[j] = bend(z);
    }
    for (int j = 0; j < PADDED; j++) now[j] = next[j];
    start += PADDED * QUADS + QUADS;
  }` : "";
}

/* Output j as `State z`, whose sine is taken where the last layer has one. */
function lastLayer({ sine }) {
  return `int row = start + j * QUADS;
    State z = still(texel(weights, start + 4 * QUADS)[j]);
    ${PRODUCT}
    ${sine ? "z = bend(z);" : ""}`;
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

/* A canvas drawn with WebGL2 by a shader that asks the network, or an error where that
   cannot be. A subclass has fill(scene, width, height), which draws into the current
   target, of that size in pixels, or into the scissor's part of it, and `most`, how many
   pixels its drawings have at most. */
class ShaderStage {
  constructor(network, colors, lost) {
    this.canvas = element("canvas");
    const gl = this.canvas.getContext("webgl2",
      { antialias: false, preserveDrawingBuffer: true });
    if (!gl) throw new Error("there is no WebGL2");
    this.gl = gl;
    this.network = network;
    this.plan = packTexels(network);
    const most = Math.max(this.plan.each, 2 * this.plan.padded) * network.tiles.length;
    if (rowsFor(most) > gl.getParameter(gl.MAX_TEXTURE_SIZE)) {
      throw new Error("the network is too large for a texture");
    }
    this.programs = {};
    this.canvas.addEventListener("webglcontextlost", lost);
    gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
    const triangle = new Float32Array([-1, -1, 3, -1, -1, 3]);
    gl.bufferData(gl.ARRAY_BUFFER, triangle, gl.STATIC_DRAW);
    gl.enableVertexAttribArray(0);
    gl.vertexAttribPointer(0, 2, gl.FLOAT, false, 0, 0);
    this.texture(0, gl.NEAREST);
    this.fillRows(this.plan.texels);
    this.texture(2, gl.LINEAR);
    this.fillTexture(gl.RGBA8, 256, 2, gl.UNSIGNED_BYTE, colors);
    this.small = gl.createFramebuffer();
    this.smallTexture = this.texture(3, gl.LINEAR);
    this.texture(4, gl.NEAREST);
    this.atOnce = 40e3;  // pixels that are computed in a frame
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

  fillRows(texels) {
    const { gl } = this;
    this.fillTexture(gl.RGBA32F, ROW, texels.length / (4 * ROW), gl.FLOAT, texels);
  }

  /* Soon a coarse picture, and once nothing has moved for a while the fine one: in
     strips, a strip a frame, so that a slow GPU does not stop the page. */
  draw(scene, done) {
    this.scene = scene;
    this.drawSmall(scene);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.drawStrips(scene, this.canvas.height, done), 120);
  }

  /* The coarse picture. Returns how many pixels have been computed. */
  drawSmall(scene) {
    const gl = this.gl;
    const { width, height } = this.canvas;
    const share = Math.max(2, Math.sqrt((width * height) / this.atOnce));
    const [w, h] = [Math.ceil(width / share), Math.ceil(height / share)];
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
    return w * h;
  }

  drawStrips(scene, top, done) {
    const gl = this.gl;
    const { width, height } = this.canvas;
    if (scene !== this.scene) return;
    if (top <= 0) {
      done();
      return;
    }
    const bottom = Math.max(0, top - Math.ceil(this.atOnce / width));
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
