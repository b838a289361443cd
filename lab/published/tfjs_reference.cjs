// What TensorFlow.js itself says of a picture, by the steps of Human (src/face/facemesh.ts and the models beside it):
// node tfjs_reference.cjs MODEL.json, with {pixels, picture, square, uncut, through, part, size, grey, scale, shift} in standard
// input and {output: [numbers]} in standard output. Installed by `python -m lab.published check`.
const fs = require('fs');
const path = require('path');
const tf = require('@tensorflow/tfjs-core');
require('@tensorflow/tfjs-backend-cpu');
const { loadGraphModel } = require('@tensorflow/tfjs-converter');

const joined = (buffers) => {
  const all = Buffer.concat(buffers);
  return all.buffer.slice(all.byteOffset, all.byteOffset + all.byteLength);
};

async function main() {
  await tf.setBackend('cpu');
  const file = process.argv[2];
  const about = JSON.parse(fs.readFileSync(file));
  const groups = about.weightsManifest;
  const model = await loadGraphModel({
    load: async () => ({
      modelTopology: about.modelTopology,
      format: about.format,
      signature: about.signature,
      userDefinedMetadata: about.userDefinedMetadata,
      weightSpecs: groups.flatMap((group) => group.weights),
      weightData: joined(groups.flatMap((group) => group.paths.map((name) => fs.readFileSync(path.join(path.dirname(file), name))))),
    }),
  });
  const given = JSON.parse(fs.readFileSync(0));
  const picture = tf.tensor4d(given.picture, [1, given.pixels, given.pixels, 3]);
  const [left, top, side] = given.square;
  let x = picture;
  if (given.through) {
    x = tf.image.cropAndResize(x, [[top, left, top + side, left + side]], [0], [given.through, given.through]);
    x = given.part
      ? tf.image.cropAndResize(x, [[given.part[1], given.part[0], given.part[3], given.part[2]]], [0], [given.size, given.size])
      : tf.image.resizeBilinear(x, [given.size, given.size], false);
  } else if (given.uncut) {
    x = tf.image.resizeBilinear(x, [given.size, given.size], false);
  } else {
    x = tf.image.cropAndResize(x, [[top, left, top + side, left + side]], [0], [given.size, given.size]);
  }
  if (given.grey) x = tf.sum(tf.mul(x, given.grey), 3, true);
  x = tf.add(tf.mul(x, given.scale), given.shift);
  const names = given.outputs;
  const values = model.execute(x, names);
  const answer = {};
  (Array.isArray(values) ? values : [values]).forEach((value, index) => { answer[names[index]] = Array.from(value.dataSync()); });
  process.stdout.write(JSON.stringify(answer));
}

main().catch((error) => { process.stderr.write(String(error && error.message)); process.exit(1); });
