/* needs: frame shader rays */
/* A sine network sphere-traced by a WebGL2 shader. */

/* The first layer, a texel a neuron: three weights and the bias. */
function firstOfShape({ outputs, W, b }, padded) {
  const texels = new Float32Array(4 * ROW * rowsFor(padded));
  for (let j = 0; j < outputs; j++) {
    texels.set([...W.subarray(3 * j, 3 * j + 3), b[j]], 4 * j);
  }
  return texels;
}

/* A value alone is asked for at every step of a ray, so its neurons go four at a time. */
function valueSource(hidden, { sine }) {
  const four = (row, times) => `vec4(${[0, 1, 2, 3].map((r) =>
    `dot(texel(weights, ${row(r)}), ${times})`)})`;
  return `
vec4 sines(vec4 z) {
  return vec4(sineAndCosine(z.x, 0.0).x, sineAndCosine(z.y, 0.0).x,
    sineAndCosine(z.z, 0.0).x, sineAndCosine(z.w, 0.0).x);
}
float valueAt(vec3 point) {
  vec4 now[QUADS];
  vec4 next[QUADS];
  for (int q = 0; q < QUADS; q++) {
    vec4 z;
    for (int r = 0; r < 4; r++) z[r] = dot(texel(first, 4 * q + r), vec4(point, 1.0));
    now[q] = sines(z);
  }
  int start = 0;
  for (int layer = 0; layer < ${hidden}; layer++) {
    for (int q = 0; q < QUADS; q++) {
      int row = start + 4 * q * QUADS;
      vec4 z = texel(weights, start + PADDED * QUADS + q);
      for (int k = 0; k < QUADS; k++) {
        z += ${four((r) => `row + ${r} * QUADS + k`, "now[k]")};
      }
      next[q] = sines(z);
    }
    for (int q = 0; q < QUADS; q++) now[q] = next[q];
    start += PADDED * QUADS + QUADS;
  }
  float z = texel(weights, start + 4 * QUADS).x;
  for (int k = 0; k < QUADS; k++) z += dot(texel(weights, start + k), now[k]);
  return ${sine ? "sineAndCosine(z, 0.0).x" : "z"};
}`;
}

/* The value and its three slopes, carried through the layers together. */
function slopesSource(hidden, last) {
  return `
#define State vec4
State still(float z) { return vec4(z, 0.0, 0.0, 0.0); }
State bend(State z) {
  vec2 t = sineAndCosine(z.x, 0.0);
  return vec4(t.x, t.y * z.yzw);
}
State slopesAt(vec3 point) {
  State now[PADDED];
  for (int j = 0; j < PADDED; j++) {
    vec4 w = texel(first, j);
    now[j] = bend(vec4(dot(w, vec4(point, 1.0)), w.xyz));
  }
  int start = 0;
  ${hiddenLayers(hidden)}
  int j = 0;
  ${lastLayer(last)}
  return z;
}`;
}

function shapeSource(network, plan) {
  const [, ...rest] = network.tiles[0];
  const last = rest.pop();
  return `#version 300 es
precision highp float;
precision highp int;
precision highp sampler2D;
uniform sampler2D first;
uniform sampler2D weights;
uniform sampler2D colors;
uniform vec2 size;                      // of the drawing, in pixels
uniform vec3 eye, right, up, forward, light;
uniform vec3 low, high;                 // corners of the whole box
uniform vec3 cutLow, cutHigh;           // and of what a cut leaves of it
uniform int cut;                        // the axis of the cut, or -1
uniform int steps;
uniform int mode;                       // of the surface; from 3 on numbers
uniform float bound, tolerance, edge, spacing;
uniform vec3 base;
out vec4 color;
#define PADDED ${plan.padded}
#define QUADS ${plan.quads}
${ASKING}
${valueSource(rest.length, last)}
${slopesSource(rest.length, last)}
vec4 under(vec4 front, vec4 back) { return front + (1.0 - front.a) * back; }
vec4 table(float unit, float row) {
  return vec4(texture(colors, vec2(unit, row)).rgb, 1.0);
}
float pixel(float depth) { return 2.0 * length(up) * depth / size.y; }
/* A line where a side of the box ends: where two coordinates are at their ends. */
vec4 frame(vec3 point, float depth) {
  vec3 off = min(abs(point - low), abs(point - high));
  float second = max(min(off.x, off.y), min(max(off.x, off.y), off.z));
  return second < 0.8 * pixel(depth) ? vec4(vec3(0.25), 0.5) : vec4(0.0);
}
vec4 surface(vec4 at, vec3 through) {
  vec3 normal = at.yzw / max(length(at.yzw), 1e-12);
  if (dot(normal, through) > 0.0) normal = -normal;
  float shade = 0.3 + 0.7 * max(0.0, dot(normal, light));
  if (mode == 1) return vec4(0.5 + 0.5 * normal, 1.0);
  if (mode == 2) return table(0.5 * length(at.yzw), 0.75);
  return vec4(base * shade, 1.0);
}
vec4 field(vec4 at, int face, float depth, bool inside) {
  vec3 along = at.yzw;
  along[face] = 0.0;
  float thin = max(length(along), 1e-12) * pixel(depth);
  float off = abs(at.x - spacing * floor(at.x / spacing + 0.5));
  vec4 found = table(0.5 + 0.5 * at.x / edge, 0.75);
  if (off < 0.6 * thin) found.rgb *= 0.55;
  if (abs(at.x) < 1.6 * thin) return vec4(0.0, 0.0, 0.0, 1.0);
  return inside ? found : 0.7 * found;
}
void main() {
  vec2 place = 2.0 * gl_FragCoord.xy / size - 1.0;
  vec3 through = normalize(forward + place.x * right + place.y * up);
  vec3 a = (low - eye) / through, b = (high - eye) / through;
  vec3 ends = min(a, b);
  float near = max(ends.x, max(ends.y, ends.z));
  ends = max(a, b);
  float far = min(ends.x, min(ends.y, ends.z));
  vec4 behind = vec4(0.0);
  color = vec4(0.0);
  if (near < far) {
    color = frame(eye + near * through, near);
    behind = frame(eye + far * through, far);
  }
  a = (cutLow - eye) / through;
  b = (cutHigh - eye) / through;
  ends = min(a, b);
  near = max(ends.x, max(ends.y, ends.z));
  int face = ends.x == near ? 0 : ends.y == near ? 1 : 2;
  ends = max(a, b);
  far = min(ends.x, min(ends.y, ends.z));
  bool inside = false, found = false;
  float depth = near;
  float value = 0.0;
  for (int step = 0; step < steps && depth < far; step++) {
    value = valueAt(eye + depth * through);
    inside = step == 0 && value < 0.0;
    if (inside || abs(value) < tolerance) {
      found = true;
      break;
    }
    depth += value / bound;
  }
  if (mode == 3) {
    color = vec4(found ? depth : -1.0, value, near, inside);
    return;
  }
  if (mode == 4) {
    color = slopesAt(eye + near * through);
    return;
  }
  bool sides[2] = bool[2](near < far && (inside || face == cut), found && !inside);
  for (int k = 0; k < 2; k++) {
    if (!sides[k]) continue;
    vec4 at = slopesAt(eye + (k == 0 ? near : depth) * through);
    color = under(color, k == 0 ? field(at, face, near, inside) : surface(at, through));
  }
  color = under(color, behind);
}`;
}

/* Draws a shape with WebGL2, or throws where it cannot. */
class ShapeShader extends ShaderStage {
  constructor(network, spec, lost = () => {}) {
    super(network, bytes(spec.colors), lost);
    this.most = 640 ** 2;  // pixels of a drawing
    this.spec = spec;
    this.fillRows(firstOfShape(network.tiles[0][0], this.plan.padded));
    this.program = compileProgram(this.gl, shapeSource(network, this.plan));
  }

  fill(scene, width, height) {
    const { gl, spec, program } = this;
    gl.useProgram(program);
    const at = (name) => gl.getUniformLocation(program, name);
    const view = eyeAt(scene, spec);
    const left = boxOf(spec, scene, view.eye);
    Object.entries({ weights: 0, colors: 2, first: 4, cut: scene.cut, mode: scene.mode,
      steps: spec.steps }).forEach(([name, number]) => gl.uniform1i(at(name), number));
    Object.entries({ ...view, low: spec.low, high: spec.high, cutLow: left.low,
      cutHigh: left.high, base: spec.color })
      .forEach(([name, numbers]) => gl.uniform3f(at(name), ...numbers));
    for (const name of ["bound", "tolerance", "edge", "spacing"]) {
      gl.uniform1f(at(name), spec[name]);
    }
    gl.uniform2f(at("size"), width, height);
    gl.viewport(0, 0, width, height);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
  }

  /* As coarse as it must be to turn smoothly here: to read a pixel waits for the
     drawing, so its time is known. */
  drawSmall(scene) {
    const { gl } = this;
    const start = performance.now();
    const computed = super.drawSmall(scene);
    gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, new Uint8Array(4));
    const took = performance.now() - start;
    const all = gl.drawingBufferWidth * gl.drawingBufferHeight;
    if (this.measured) {  // the first one waits for the compiler as well
      this.atOnce = between((20 * computed) / took, all / 64, all / 4);
    }
    this.measured = true;
    return computed;
  }
}
