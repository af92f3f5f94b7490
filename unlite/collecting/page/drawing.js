// Boxes, keypoints and names: over the camera's frames on a canvas, over pictures as SVG.

const SURE = "#3ddc84", DOUBTFUL = "#ffb000", SHADE = "rgba(0, 0, 0, .65)";
const SVG = "http://www.w3.org/2000/svg";

// A frame with what was found in it; boxes and keypoints are shares of it.
export function drawFrame(view, frame, found, {bones, isMirrored}) {
  const {width, height} = frame, context = view.getContext("2d");
  if (view.width !== width || view.height !== height) Object.assign(view, {width, height});
  context.setTransform(isMirrored ? -1 : 1, 0, 0, 1, isMirrored ? width : 0, 0);
  context.drawImage(frame, 0, 0);
  context.setTransform(1, 0, 0, 1, 0, 0);
  view.ariaLabel = ["The camera", ...found.map(words)].join(", ");
  const line = Math.max(2, width / 240);
  for (const each of found) {
    const colour = each.doubtful ? DOUBTFUL : SURE;
    const at = ([x, y]) => [(isMirrored ? 1 - x : x) * width, y * height];
    const [left, top, wide, high] = each.box;
    const [x, y] = at([isMirrored ? left + wide : left, top]);
    context.setLineDash(each.doubtful ? [3 * line, 2 * line] : []);
    for (const [stroke, size] of [[SHADE, 2 * line], [colour, line]]) {
      Object.assign(context, {strokeStyle: stroke, lineWidth: size});
      context.strokeRect(x, y, wide * width, high * height);
    }
    context.setLineDash([]);
    const points = each.keypoints.map(at);
    context.beginPath();
    for (const [from, to] of bones) {
      context.moveTo(...points[from]);
      context.lineTo(...points[to]);
    }
    context.stroke();
    context.fillStyle = colour;
    for (const point of points) dot(context, point, 1.6 * line);
    name(context, each, [x, y, wide * width], colour);
  }
}

function dot(context, [x, y], radius) {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fill();
}

const words = ({label, score}) => [label, score.toFixed(2)].filter(Boolean).join(" ");

function name(context, found, [x, y, wide], colour) {
  const {width} = context.canvas, {label} = found, said = words(found), size = Math.max(14, width / 32);
  context.font = `600 ${label ? 1.25 * size : size}px system-ui, sans-serif`;
  const long = context.measureText(said).width + 0.6 * size, high = label ? 1.7 * size : 1.35 * size;
  const left = Math.max(0, Math.min(x + wide / 2 - long / 2, width - long)), top = Math.max(0, y - high);
  context.fillStyle = SHADE;
  context.fillRect(left, top, long, high);
  Object.assign(context, {fillStyle: colour, textBaseline: "middle"});
  context.fillText(said, left + 0.3 * size, top + high / 2);
}

// The same for a picture of the sheet, to lie over it.
export function overlay({width, height, boxes, doubt}, bones) {
  const made = svg("svg", {viewBox: `0 0 ${width} ${height}`, "aria-hidden": true});
  const line = Math.max(width, height) / 120, stroke = doubt ? DOUBTFUL : SURE;
  for (const {box: [x, y, wide, high], keypoints} of boxes) {
    const points = keypoints.map((point) => point && [point[0] * width, point[1] * height]);
    const size = {x: x * width, y: y * height, width: wide * width, height: high * height};
    made.append(svg("rect", {...size, stroke, fill: "none", "stroke-width": line}));
    for (const [from, to] of bones) {
      if (!points[from] || !points[to]) continue;
      const [x1, y1] = points[from], [x2, y2] = points[to];
      made.append(svg("line", {x1, y1, x2, y2, stroke, "stroke-width": line / 2}));
    }
  }
  return made;
}

function svg(tag, attributes) {
  const made = document.createElementNS(SVG, tag);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}
