/** The viewer of surfaces, in the browser: turn a landscape, choose f or what SAM sees of it. */
import * as THREE from "three";
import { OrbitControls } from "three/examples/jsm/controls/OrbitControls.js";
import { ids, type SurfaceData } from "./data.ts";

/** Low is dark, high is light, as on the maps. */
const [low, high] = [new THREE.Color("#163e70"), new THREE.Color("#fcfdff")];
const pathColor = "#c2185b";
/** Height of the highest point beside a side of length 1. */
const height = 0.6;

function show(stage: HTMLElement, data: SurfaceData): void {
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
  const choice = document.getElementById(ids.choice);
  choice?.addEventListener("change", (event) => {
    if (event.target instanceof HTMLInputElement) choose(Number(event.target.value));
  });
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
  new ResizeObserver(fit).observe(stage);
  fit();
  choose(0);
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

const stage = document.getElementById(ids.stage);
const source = document.getElementById(ids.data);
if (stage !== null && source !== null) {
  try {
    show(stage, JSON.parse(source.textContent) as SurfaceData);
  } catch (error) {
    // Without WebGL the maps above still tell all.
    stage.textContent = `The surface needs WebGL, which this browser does not give (${String(error)}). The maps above show the same values.`;
  }
}
