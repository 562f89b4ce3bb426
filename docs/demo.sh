#!/usr/bin/env bash
# Trains products of experts on Fashion-MNIST through a server and shows what
# they know.
#
#   docs/demo.sh BIN_FOLDER OUT_FOLDER
set -euo pipefail
bin=$1
out=$2
data=/usr/share/datasets/fashion-mnist
names=T-shirt,Trouser,Pullover,Dress,Coat,Sandal,Shirt,Sneaker,Bag,Boot

rm -rf "$out"
mkdir -p "$out"
ready=$(mktemp -u)
mkfifo "$ready"
"$bin/poe-server" --repository "$out/models" --listen 127.0.0.1:0 \
  --log_level warning >"$ready" &
server=$!
trap 'kill "$server" 2>/dev/null; wait "$server" 2>/dev/null; rm -f "$ready"' \
  EXIT
read -r line <"$ready" || {
  echo "poe-server did not start" >&2
  exit 1
}
export POE_SERVER=${line#listening on }

# Prints a command as one would type it, and runs it.
run() {
  printf '\n$ poe'
  printf ' %s' "$@"
  printf '\n'
  "$bin/poe" "$@"
}

echo "A server with an empty repository is $line"
run train fashion --data "$data/train-images-idx3-ubyte.gz" \
  --labels "$data/train-labels-idx1-ubyte.gz" --class-names "$names" \
  --experts 100 --epochs 20 --rate 0.1 --schedule linear \
  --weight-decay 0.0002 --held-out 0.15 \
  --separator-cost 10 --seed 1
run score fashion --data "$data/t10k-images-idx3-ubyte.gz" \
  --labels "$data/t10k-labels-idx1-ubyte.gz" --limit 5
run show fashion --limit 20 --png "$out/experts.png"
run reconstruct fashion --data "$data/t10k-images-idx3-ubyte.gz" --rows :20 \
  --seed 1 --png "$out/reconstructed.png"
run reconstruct fashion --data "$data/t10k-images-idx3-ubyte.gz" --rows :20 \
  --mask lower --steps 50 --chains 20 --seed 1 --png "$out/filled-in.png"
for name in Trouser Sneaker Bag Boot; do
  run sample fashion --class "$name" --chains 40 --steps 500 --mean \
    --seed 1 --png "$out/samples-$name.png"
done

cat <<END

Pictures:
$(ls "$out"/*.png)

To go on with this model, start the server again

  $bin/poe-server --repository $out/models

and in another terminal try

  $bin/poe models
  $bin/poe score fashion --data $data/t10k-images-idx3-ubyte.gz --rows :10
  $bin/poe sample fashion --class Dress --chains 64 --png dresses.png
  $bin/poe show fashion --class Bag --png bags.png
  $bin/poe --help
END
