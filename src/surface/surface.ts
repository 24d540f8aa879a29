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
    `Surface of the landscape over ${data.axes[0]} and ${data.axes[1]}; arrow keys with Shift turn it`,
  );
  stage.replaceChildren(canvas);
  const scene = new THREE.Scene();
  const camera = new THREE.PerspectiveCamera(40, 1, 0.01, 20);
  camera.position.set(0.9, 1.15, 1.3);
  const controls = new OrbitControls(camera, canvas);
  controls.target.set(0, height / 2, 0);
  controls.listenToKeyEvents(canvas);
  controls.update();
  scene.add(new THREE.AmbientLight("#ffffff", 1.6));
  const sun = new THREE.DirectionalLight("#ffffff", 1.8);
  sun.position.set(-1, 2, 1);
  scene.add(sun);

  const levels = scaleOf(data);
  const groups = data.surfaces.map(({ values }) => groupOf(data, values, levels));
  scene.add(...groups);
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

const spanOf = (ticks: readonly number[]) => (ticks.at(-1) ?? 1) - (ticks[0] ?? 0);
