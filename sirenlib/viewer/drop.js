/* needs: frame */
/* Files from the reader's computer: chosen, dropped or pasted. */

/* A button that opens the browser's own dialog for a file. */
function fileButton(words, accept, take) {
  const input = element("input", { type: "file", accept, hidden: "",
    change: () => {
      if (input.files[0]) take(input.files[0]);
      input.value = "";  // so that the same file can be chosen again
    } });
  return [input, button(words, () => input.click())];
}

/* What an element listens to, so that files can be dropped on it and pasted. */
function receivingFiles(take) {
  return {
    dragover: (event) => event.preventDefault(),
    drop: (event) => {
      event.preventDefault();
      take(event.dataTransfer.files[0]);
    },
    paste: (event) => {
      if (event.clipboardData.files.length) take(event.clipboardData.files[0]);
    },
  };
}
