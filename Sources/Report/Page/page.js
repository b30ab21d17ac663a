// All drawings that have the chosen axis change together. Without script the first axis shows.
for (const box of document.querySelectorAll(".switch")) {
  box.hidden = false;
  box.addEventListener("click", event => {
    const axis = event.target.dataset.axis;
    if (!axis) return;
    const before = box.getBoundingClientRect().top;
    for (const figure of document.querySelectorAll("figure")) {
      const button = figure.querySelector(`button[data-axis="${axis}"]`);
      if (!button) continue;
      for (const other of figure.querySelectorAll(".switch button"))
        other.setAttribute("aria-pressed", String(other === button));
      figure.classList.add("switched");
      for (const view of figure.querySelectorAll(".view"))
        view.classList.toggle("shown", view.dataset.axis === axis);
    }
    scrollBy(0, box.getBoundingClientRect().top - before);
  });
}
