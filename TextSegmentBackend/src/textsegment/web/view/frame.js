/** Where a plane lies in its canvas: as large as fits, or zoomed in on a part of it. */

const MOST_ZOOM = 16;
const STEP = 1.25;

/** Place and zoom of one plane. */
export class Frame {
  #zoom = 1;
  /** What lies in the middle of the canvas, as a share of width and height of the plane. */
  #middle = [0.5, 0.5];

  /** Show all of the plane. */
  reset() {
    this.#zoom = 1;
    this.#middle = [0.5, 0.5];
  }

  /**
   * The rectangle, in pixels of the canvas, in which the whole plane is drawn; it may be larger than the canvas.
   *
   * @param {HTMLCanvasElement} canvas Given as many pixels as it covers on the screen, which is its `room`.
   * @param {Plane} plane What is drawn in it.
   */
  place(canvas, plane) {
    const ratio = devicePixelRatio || 1;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight].map((size) => Math.round(size * ratio));
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    const [mmX, mmY] = [plane.width * plane.pixel[0], plane.height * plane.pixel[1]];
    const scale = this.#zoom * Math.min(width / mmX, height / mmY);
    const size = [mmX * scale, mmY * scale];
    const [left, top] = size.map((one, n) => start(this.#middle[n], one, [width, height][n]));
    return { left, top, width: size[0], height: size[1], room: [width, height], ratio };
  }

  /** Zoom in (1) or out (-1); what lies at a point of the canvas stays there. */
  zoom(direction, point, place) {
    const before = this.#zoom;
    this.#zoom = Math.min(Math.max(before * STEP ** direction, 1), MOST_ZOOM);
    const grown = this.#zoom / before;
    this.#middle = sidesOf(place).map(({ from, size, room }, n) => (point[n] - from) / size + (room / 2 - point[n]) / (size * grown));
  }

  /** Move by pixels of the canvas. */
  pan(by, place) {
    this.#middle = sidesOf(place).map(({ from, size, room }, n) => (room / 2 - from - by[n]) / size);
  }
}

function sidesOf({ left, top, width, height, room }) {
  return [{ from: left, size: width, room: room[0] }, { from: top, size: height, room: room[1] }];
}

/** Where a side begins: in the middle if it fits, else so that there is no gap beside it. */
function start(middle, size, room) {
  if (size <= room) return (room - size) / 2;
  return Math.min(0, Math.max(room - size, room / 2 - middle * size));
}
