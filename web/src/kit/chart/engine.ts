/**
 * The drawing engine, a part of its own that is loaded after the first paint. SVG: crisp at any scale of the wall, with
 * no canvas to redraw when the device's pixels change, and small beside the canvas renderer.
 */

import { BarChart, LineChart } from "echarts/charts";
import { GridComponent, LegendComponent, MarkLineComponent } from "echarts/components";
import { init, use, type EChartsType } from "echarts/core";
import { LabelLayout } from "echarts/features";
import { SVGRenderer } from "echarts/renderers";
import type { EChartsCoreOption } from "echarts/core";

use([BarChart, LineChart, GridComponent, LegendComponent, MarkLineComponent, LabelLayout, SVGRenderer]);

export interface Drawing {
  draw: (option: EChartsCoreOption) => void;
  resize: () => void;
  onPick: (handler: (category: number, series: number) => void) => void;
  dispose: () => void;
}

export function drawing(box: HTMLElement): Drawing {
  const chart: EChartsType = init(box, null, { renderer: "svg" });
  return {
    // Same series in the same order are moved, not made anew; what is no longer there goes.
    draw: (option) => chart.setOption(option, { replaceMerge: ["series", "xAxis", "yAxis"] }),
    resize: () => chart.resize({ animation: { duration: 0 } }),
    onPick: (handler) =>
      void chart.on("click", (event) => handler(event.dataIndex ?? 0, event.seriesIndex ?? 0)),
    dispose: () => chart.dispose(),
  };
}
