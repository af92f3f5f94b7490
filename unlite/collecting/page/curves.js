// How the loss falls while it trains.

import {attempt, byId, element} from "./elements.js";

const NAMES = {loss: "learned from", val_loss: "held out"};

let plotly; // is large: only when there is something to draw
let drawn = []; // the rows that are seen

// Draws rows of {epoch, loss, val_loss}.
export async function drawCurves(rows) {
  drawn = rows;
  const columns = Object.keys(NAMES).filter((name) => rows[0]?.[name] !== undefined);
  byId("curves").hidden = !columns.length;
  if (!columns.length) return;
  plotly ??= new Promise((resolve, reject) => {
    const failed = () => reject(new Error("the curves cannot be drawn"));
    document.head.append(element("script", {src: "plotly.js", onload: resolve, onerror: failed}));
  });
  await plotly;
  const style = getComputedStyle(document.documentElement), colour = (name) => style.getPropertyValue(name).trim();
  const axis = (title) => ({title: {text: title}, gridcolor: colour("--line"), zeroline: false});
  const lines = columns.map((column) => ({
    name: NAMES[column], x: rows.map(({epoch}) => epoch), y: rows.map((row) => row[column]), mode: "lines+markers",
  }));
  window.Plotly.react("curves", lines, {
    paper_bgcolor: "transparent", plot_bgcolor: "transparent", margin: {l: 50, r: 10, t: 10, b: 40},
    font: {color: colour("--ink"), family: "system-ui"}, legend: {orientation: "h", y: 1.15},
    xaxis: {...axis("epoch"), dtick: rows.length > 12 ? undefined : 1},
    yaxis: {...axis("loss"), type: "log", dtick: "D2", tickformat: ".2~g"},
  }, {displayModeBar: false, responsive: true});
}

matchMedia("(prefers-color-scheme: dark)").onchange = () => attempt(() => drawCurves(drawn));
