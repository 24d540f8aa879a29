/** Surfaces in a browser: a landscape in three dimensions, to be turned by pointer and keys. */
import * as THREE from "three";
import { OrbitControls } from "three/examples/jsm/controls/OrbitControls.js";
import type { SurfaceData } from "./data.ts";

/** Low is dark, high is light, as on the maps. */
const [low, high] = [new THREE.Color("#163e70"), new THREE.Color("#fcfdff")];
const pathColor = "#c2185b";
/** Height of the highest point beside a side of length 1. */
const height = 0.6;

/** A surface that is shown. */
export interface ShownSurface {
  /** Show another one of the surfaces, by its place in the data. */
  readonly choose: (surface: number) => void;
  /** The picture as it stands, as a PNG. */
  readonly picture: () => Promise<Blob>;
  /** Give back what the graphics card holds, and leave the stage empty. */
  readonly close: () => void;
}

/**
 * Show the first of the surfaces in an element, as wide as that is. Drag turns it, the wheel comes
 * closer; with the keyboard, arrows with Shift.
 *
 * @throws {Error} where there is no WebGL.
 */
export function showSurface(stage: HTMLElement, data: SurfaceData): ShownSurface {
  const renderer = new THREE.WebGLRenderer({ antialias: true, alpha: true });
  const canvas = renderer.domElement;
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "img");
  canvas.setAttribute(
    "aria-label",
    `Surface of the landscape, from left to right ${data.axes[0]}, from front to back ${data.axes[1]}; arrow keys with Shift turn it`,
  );
  stage.replaceChildren(canvas);
  const scene = new THREE.Scene();
  const camera = new THREE.PerspectiveCamera(40, 1, 0.01, 20);
  camera.position.set(1.02, 1.25, 1.5);
  const controls = new OrbitControls(camera, canvas);
  controls.target.set(0, height / 4, 0);
  controls.listenToKeyEvents(canvas);
  controls.update();
  scene.add(new THREE.AmbientLight("#ffffff", 1.6));
  const sun = new THREE.DirectionalLight("#ffffff", 1.8);
  sun.position.set(-1, 2, 1);
  scene.add(sun);

  const levels = scaleOf(data);
  const groups = data.surfaces.map(({ values }) => groupOf(data, values, levels));
  scene.add(...groups);
  const labels = labelsOf(data);
  for (const { material } of labels) {
    if (material.map) material.map.anisotropy = renderer.capabilities.getMaxAnisotropy();
  }
  scene.add(...labels);
  const draw = () => renderer.render(scene, camera);
  const choose = (chosen: number) => {
    groups.forEach((group, i) => (group.visible = i === chosen));
    draw();
  };
  controls.addEventListener("change", draw);
  const fit = () => {
    const { clientWidth } = stage;
    const size = [clientWidth, Math.round(Math.min(0.62 * clientWidth, 560))] as const;
    renderer.setPixelRatio(window.devicePixelRatio);
    renderer.setSize(...size);
    camera.aspect = size[0] / size[1];
    camera.updateProjectionMatrix();
    draw();
  };
  const observer = new ResizeObserver(fit);
  observer.observe(stage);
  fit();
  choose(0);
  return {
    choose,
    picture: () => {
      // In one go: what was drawn is gone with the next frame.
      draw();
      return new Promise((done, fail) => {
        canvas.toBlob((blob) => (blob ? done(blob) : fail(new Error("the surface is empty"))));
      });
    },
    close() {
      observer.disconnect();
      controls.dispose();
      scene.traverse((part) => {
        if (!(part instanceof THREE.Mesh || part instanceof THREE.Line)) return;
        (part.geometry as THREE.BufferGeometry).dispose();
        (part.material as THREE.Material).dispose();
      });
      for (const { material } of labels) material.map?.dispose();
      renderer.dispose();
      canvas.remove();
    },
  };
}

/**
 * Heights in 0 … 1, one scale for all surfaces: logarithmic where all values are positive, as the
 * levels of the maps are. The highest twentieth is cut off, because losses grow without bound.
 */
function scaleOf({ surfaces }: SurfaceData): (value: number | null) => number {
  const all = surfaces
    .flatMap(({ values }) => values)
    .filter((value) => value !== null)
    .sort((a, b) => a - b);
  const [least = 0, most = 1] = [all[0], all[Math.floor(0.95 * (all.length - 1))]];
  const warp = least > 0 && most > 3 * least ? Math.log : (value: number) => value;
  const [from, to] = [warp(least), warp(most)];
  return (value) =>
    value === null ? 1 : Math.min(1, Math.max(0, (warp(value) - from) / (to - from || 1)));
}

/** A surface with the ways and points on it. */
function groupOf(
  data: SurfaceData,
  values: readonly (number | null)[],
  scale: (value: number | null) => number,
): THREE.Group {
  const [xs, ys] = data.ticks;
  const [columns, rows] = [xs.length, ys.length];
  const longest = Math.max(spanOf(xs), spanOf(ys));
  /** Coordinates of the landscape in those of the scene, where y points up. */
  const place = (ticks: readonly number[], at: number) =>
    (at - ((ticks[0] ?? 0) + (ticks.at(-1) ?? 0)) / 2) / longest;
  const positions = new Float32Array(3 * values.length);
  const colors = new Float32Array(3 * values.length);
  const color = new THREE.Color();
  values.forEach((value, i) => {
    const part = scale(value);
    const at = [
      place(xs, xs[i % columns] ?? 0),
      height * part,
      -place(ys, ys[Math.floor(i / columns)] ?? 0),
    ];
    positions.set(at, 3 * i);
    color.lerpColors(low, high, part).toArray(colors, 3 * i);
  });
  const faces: number[] = [];
  for (let row = 0; row + 1 < rows; row++) {
    for (let column = 0; column + 1 < columns; column++) {
      const corner = row * columns + column;
      faces.push(corner, corner + 1, corner + columns);
      faces.push(corner + 1, corner + columns + 1, corner + columns);
    }
  }
  const geometry = new THREE.BufferGeometry();
  geometry.setAttribute("position", new THREE.BufferAttribute(positions, 3));
  geometry.setAttribute("color", new THREE.BufferAttribute(colors, 3));
  geometry.setIndex(faces);
  geometry.computeVertexNormals();
  const material = new THREE.MeshLambertMaterial({ vertexColors: true, side: THREE.DoubleSide });
  const group = new THREE.Group();
  group.add(new THREE.Mesh(geometry, material));

  /** A little above the surface, at the value of the nearest place of the grid. */
  const above = ([a = 0, b = 0]: readonly number[]) => {
    const nearest = (ticks: readonly number[], at: number) =>
      Math.min(
        ticks.length - 1,
        Math.max(0, Math.round(((at - (ticks[0] ?? 0)) / spanOf(ticks)) * (ticks.length - 1))),
      );
    const value = values[nearest(ys, b) * columns + nearest(xs, a)] ?? null;
    return new THREE.Vector3(place(xs, a), height * scale(value) + 0.01, -place(ys, b));
  };
  const inside = ([a = 0, b = 0]: readonly number[]) =>
    a >= (xs[0] ?? 0) && a <= (xs.at(-1) ?? 0) && b >= (ys[0] ?? 0) && b <= (ys.at(-1) ?? 0);
  for (const path of data.paths) {
    const line = new THREE.BufferGeometry().setFromPoints(path.filter(inside).map(above));
    group.add(new THREE.Line(line, new THREE.LineBasicMaterial({ color: pathColor })));
  }
  for (const { at } of data.marks.filter(({ at }) => inside(at))) {
    const ball = new THREE.Mesh(
      new THREE.SphereGeometry(0.014),
      new THREE.MeshBasicMaterial({ color: pathColor }),
    );
    ball.position.copy(above(at));
    group.add(ball);
  }
  return group;
}

/** How wide the strip of a label is beside its edge, and how many pixels that are. */
const [labelWidth, labelPixels] = [0.1, 120];

/** What the axes are, written on the ground along the front edge and the right one, with both ends. */
function labelsOf({
  axes,
  ticks,
}: SurfaceData): THREE.Mesh<THREE.PlaneGeometry, THREE.MeshBasicMaterial>[] {
  const spans = ticks.map(spanOf);
  const longest = Math.max(...spans);
  const sides = spans.map((span) => span / longest);
  const label = (k: 0 | 1) => {
    const [side = 1, other = 1] = k === 0 ? sides : sides.toReversed();
    const map = new THREE.CanvasTexture(stripOf(axes[k], ticks[k], side));
    map.colorSpace = THREE.SRGBColorSpace;
    const mesh = new THREE.Mesh(
      new THREE.PlaneGeometry(side, labelWidth),
      new THREE.MeshBasicMaterial({ map, transparent: true, side: THREE.DoubleSide }),
    );
    const off = other / 2 + 0.7 * labelWidth;
    mesh.rotation.set(-Math.PI / 2, 0, k === 0 ? 0 : Math.PI / 2);
    mesh.position.set(k === 0 ? 0 : off, 0, k === 0 ? off : 0);
    return mesh;
  };
  return [label(0), label(1)];
}

/** A strip of text: the ends of an axis at its ends, its label between them, in two lines where it is long. */
function stripOf(words: string, ticks: readonly number[], side: number): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  canvas.height = labelPixels;
  canvas.width = Math.max(1, Math.round((labelPixels * side) / labelWidth));
  const context = canvas.getContext("2d");
  if (context === null) return canvas;
  const font = (pixels: number) => `${pixels}px system-ui, sans-serif`;
  const usual = 0.4 * labelPixels;
  // Dark with a light rim, so that it can be read on light and on dark.
  Object.assign(context, {
    font: font(usual),
    textBaseline: "middle",
    lineJoin: "round",
    lineWidth: labelPixels / 12,
    strokeStyle: "white",
    fillStyle: "#1a1a1a",
  });
  const write = (text: string, align: CanvasTextAlign, x: number, height: number) => {
    context.textAlign = align;
    context.strokeText(text, x, height * labelPixels);
    context.fillText(text, x, height * labelPixels);
  };
  const rim = labelPixels / 12;
  const ends = [ticks[0] ?? 0, ticks.at(-1) ?? 0].map((end) => String(Number(end.toPrecision(3))));
  write(ends[0] ?? "", "left", rim, 0.25);
  write(ends[1] ?? "", "right", canvas.width - rim, 0.25);
  const width = (text: string) => context.measureText(text).width;
  const room = canvas.width - 2 * (Math.max(...ends.map(width)) + 4 * rim);
  const lines = width(words) <= room ? [words] : halvesOf(words);
  context.font = font(usual * Math.min(1, room / Math.max(...lines.map(width))));
  lines.forEach((line, i) => write(line, "center", canvas.width / 2, 0.25 + 0.45 * i));
  return canvas;
}

/** A text in two, at the space nearest to its middle. */
function halvesOf(words: string): string[] {
  const spaces = Array.from(words.matchAll(/ /g), ({ index }) => index);
  const middle = words.length / 2;
  const [at = words.length] = spaces.sort((a, b) => Math.abs(a - middle) - Math.abs(b - middle));
  return [words.slice(0, at), words.slice(at + 1)];
}

const spanOf = (ticks: readonly number[]) => (ticks.at(-1) ?? 1) - (ticks[0] ?? 0);
