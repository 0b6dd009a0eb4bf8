package ci

import (
	"path"
	"regexp"
	"strings"
)

// A checkout without Git LFS holds in a file's place a pointer to it: then nothing of the
// file was read (https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md).
var lfsPointer = regexp.MustCompile(`^version https://git-lfs\.github\.com/spec/v1\r?\n(?:ext-[0-9]-[a-z0-9.-]+ sha256:[0-9a-f]{64}\r?\n)*oid sha256:[0-9a-f]{64}\r?\nsize [0-9]+\r?\n$`)

// maxPointer is the size, in bytes, that a pointer stays below.
const maxPointer = 1024

// binaryEndings are of files that hold no text wherever they are used, as far as people keep
// them in Git LFS.
var binaryEndings = wordSet(`7z a aac ai apk avi bin blend bmp bz2 dds dll dmg doc docx dylib eot exe exr fbx flac gif glb gz h5
	hdr ico iso jar jpeg jpg lib mkv mov mp3 mp4 npy npz o ogg onnx otf parquet pdf pkl png ppt pptx psd pt pth rar
	safetensors so tar tga tgz tif tiff ttf uasset umap wasm wav webm webp whl woff woff2 xls xlsx xz zip zst`)

// notFetched is the gap of a file of which only its pointer is there.
func notFetched(p string, content []byte) *Skip {
	if len(content) >= maxPointer || !lfsPointer.Match(content) {
		return nil
	}
	return &Skip{
		File: File{Path: p, Size: int64(len(content))}, Reason: "it is a pointer to a file in Git LFS that is not here: git lfs pull", Blocks: true,
		Binary: binaryEndings[strings.ToLower(strings.TrimPrefix(path.Ext(p), "."))],
	}
}
