"use strict";
// What a report's page does: charts with zoom and tooltips, tables that sort, and all of it on paper too.
(() => {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const GOLDEN_ANGLE = 137.5; // hues far apart, however many lines
  const NEAREST = 6; // lines that a tooltip names
  const HEIGHT = 300, PAPER_WIDTH = 700;
  let printing = false;

  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const colour = (n) => {
    const light = printing || !dark.matches;
    const hue = (212 + GOLDEN_ANGLE * n) % 360;
    return `hsl(${hue} ${n % 2 ? 55 : 75}% ${light ? 38 : 66}%)`;
  };
  const words = (value) => (value == null ? "none" : Number(value.toPrecision(4)).toLocaleString("en"));
  const element = (tag, text, parent) => {
    const made = document.createElement(tag);
    made.textContent = text;
    parent.append(made);
    return made;
  };

  function bands(spec) {
    return (u) => {
      const { ctx, bbox } = u;
      ctx.save();
      ctx.beginPath();
      ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
      ctx.clip();
      for (const [, start, end] of spec.bands) {
        const from = u.valToPos(start, "x", true);
        const wide = u.valToPos(end, "x", true) - from, thin = 2 * devicePixelRatio;
        ctx.fillStyle = wide > thin ? "rgb(220 60 50 / 0.22)" : "rgb(220 60 50 / 0.6)";
        ctx.fillRect(from, bbox.top, Math.max(wide, thin / 2), bbox.height);
      }
      ctx.restore();
    };
  }

  // The values under the pointer, nearest first, and the halt or fault it stands in.
  function tooltip(spec, box) {
    const tip = element("div", "", box);
    tip.className = "tip";
    tip.hidden = true;
    return (u) => {
      const { idx, left, top } = u.cursor;
      tip.hidden = idx == null || left < 0;
      if (tip.hidden) return;
      const shown = u.series.map((series, n) => ({ series, n, value: u.data[n][idx] }))
        .filter(({ series, n, value }) => n > 0 && series.show && value != null)
        .sort((a, b) => Math.abs(u.valToPos(a.value, "y") - top) - Math.abs(u.valToPos(b.value, "y") - top))
        .slice(0, NEAREST);
      tip.replaceChildren();
      element("div", `${spec.x_label}: ${words(u.data[0][idx])}`, tip);
      const table = element("table", "", tip);
      for (const { series, n, value } of shown) {
        const row = element("tr", "", table);
        element("td", "\u25cf", row).style.color = colour(n - 1);
        element("td", series.label, row);
        element("td", words(value), row).className = "n";
      }
      const at = u.posToVal(left, "x"), near = u.posToVal(left + 3, "x") - at;
      for (const [label, start, end] of spec.bands) {
        if (at >= start - near && at <= end + near) element("div", label, tip);
      }
      const right = left > u.over.clientWidth / 2;
      tip.style.top = `${u.over.offsetTop + u.root.offsetTop + 8}px`;
      tip.style.left = `${u.over.offsetLeft + left + (right ? -12 - tip.offsetWidth : 12)}px`;
    };
  }

  function options(spec, box, width) {
    const axis = { stroke: css("--soft"), grid: { stroke: css("--line"), width: 1 }, ticks: { stroke: css("--line") } };
    const plain = (u, values) => values.map((value) => (value == null ? "" : value.toLocaleString("en")));
    const few = spec.x.length < 10;
    return {
      width, height: HEIGHT,
      cursor: { sync: spec.sync ? { key: spec.sync } : undefined, focus: { prox: 16 } },
      focus: { alpha: 0.35 },
      legend: { live: false },
      scales: { x: { time: false, distr: spec.log_x ? 3 : 1 }, y: { distr: spec.log_y ? 3 : 1 } },
      axes: [
        { ...axis, label: spec.x_label, values: plain, labelSize: 22 },
        { ...axis, label: spec.y_label, values: plain, size: 68, labelSize: 22 },
      ],
      series: [{}, ...spec.lines.map(([label], n) => ({
        label, stroke: colour(n), width: 1.4, spanGaps: spec.joined || few, points: { show: few },
      }))],
      hooks: { drawClear: [bands(spec)], setCursor: [tooltip(spec, box)] },
    };
  }

  const charts = [...document.querySelectorAll("figure[data-chart]")].map((figure) => {
    const spec = JSON.parse(figure.querySelector("script").textContent);
    const box = element("div", "", figure);
    let chart = null;
    const draw = () => {
      const width = printing ? PAPER_WIDTH : figure.clientWidth;
      if (!width) return; // its section is folded
      if (chart) chart.destroy();
      box.replaceChildren();
      chart = new uPlot(options(spec, box, width), [spec.x, ...spec.lines.map(([, values]) => values)], box);
      figure.dataset.drawn = spec.lines.length;
    };
    const fit = () => {
      const width = figure.clientWidth;
      if (!chart) draw();
      else if (width && width !== chart.width && !printing) chart.setSize({ width, height: HEIGHT });
    };
    draw();
    new ResizeObserver(() => requestAnimationFrame(fit)).observe(figure);
    return draw;
  });
  const drawAll = () => charts.forEach((draw) => draw());
  dark.addEventListener("change", drawAll);

  let folded = [];
  addEventListener("beforeprint", () => {
    printing = true;
    folded = [...document.querySelectorAll("details:not([open])")];
    folded.forEach((section) => { section.open = true; });
    drawAll();
  });
  addEventListener("afterprint", () => {
    printing = false;
    folded.forEach((section) => { section.open = false; });
    drawAll();
  });

  const key = (row, column) => row.cells[column].textContent;
  const number = (text) => Number.parseFloat(text.replaceAll(",", ""));
  function sort(table, column, heading) {
    const down = heading.getAttribute("aria-sort") === "ascending";
    const compare = (a, b) => {
      const [x, y] = [number(key(a, column)), number(key(b, column))];
      const order = Number.isNaN(x) || Number.isNaN(y) ? key(a, column).localeCompare(key(b, column), "en") : x - y;
      return down ? -order : order;
    };
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", down ? "descending" : "ascending");
    table.tBodies[0].append(...[...table.tBodies[0].rows].sort(compare));
  }
  for (const table of document.querySelectorAll(".wide table")) {
    [...table.tHead.rows[0].cells].forEach((heading, column) => {
      const button = document.createElement("button");
      button.textContent = heading.textContent;
      button.addEventListener("click", () => sort(table, column, heading));
      heading.replaceChildren(button);
    });
  }

  const unfold = () => {
    const section = location.hash && document.getElementById(location.hash.slice(1));
    if (section) section.open = true;
  };
  addEventListener("hashchange", unfold);
  unfold();
})();
