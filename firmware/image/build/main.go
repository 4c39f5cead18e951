// Command build writes the image of a gateway's memory card: MBR, a FAT32 partition that a Raspberry Pi starts from and a PC can write, and an
// ext4 partition for data. Kernel and firmware come as Go modules of exact versions (go.mod); of the same inputs it makes the same bytes.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/diskfs/go-diskfs"
	"github.com/diskfs/go-diskfs/disk"
	"github.com/diskfs/go-diskfs/filesystem"
	"github.com/diskfs/go-diskfs/partition/mbr"
)

const (
	sector    = 512
	bootStart = 8192 // sectors: 4 MiB
	bootSize  = 192 << 20 / sector
	dataStart = bootStart + bootSize
	imageSize = 1 << 30 // a power of two, which QEMU wants of a card
	dataSize  = imageSize/sector - dataStart
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	fs := flag.NewFlagSet("image", flag.ContinueOnError)
	out := fs.String("out", "", "the image")
	kernel := fs.String("kernel", "", "folder of the module github.com/gokrazy/kernel.rpi")
	firmware := fs.String("firmware", "", "folder of the module github.com/gokrazy/firmware")
	initFile := fs.String("init", "", "the built /init")
	gateway := fs.String("gateway", "", "the built monban-gateway for arm64")
	doc := fs.String("doc", "", "folder of what goes onto the boot partition as it is")
	licence := fs.String("licence", "", "the licence of monban")
	epoch := fs.Int64("epoch", 0, "SOURCE_DATE_EPOCH: the time of every file")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if *out == "" || *epoch <= 0 {
		return errors.New("usage: build --out FILE --epoch SECONDS --kernel DIR --firmware DIR --init FILE --gateway FILE --doc DIR --licence FILE")
	}
	if err := os.Setenv("SOURCE_DATE_EPOCH", fmt.Sprint(*epoch)); err != nil { // go-diskfs takes the times of files from there
		return err
	}
	initrd, err := initramfs(*initFile, *gateway, *epoch)
	if err != nil {
		return err
	}
	files, err := bootFiles(*kernel, *firmware, *doc, *licence)
	if err != nil {
		return err
	}
	files = append(files, file{"initrd.img", initrd}, file{"config.txt", []byte(configTxt)}, file{"cmdline.txt", []byte(cmdline)})
	tmp := *out + ".new"
	if err := os.RemoveAll(tmp); err != nil {
		return err
	}
	if err := write(tmp, files); err != nil {
		return errors.Join(err, os.RemoveAll(tmp))
	}
	if err := dataPartition(tmp, *epoch); err != nil {
		return errors.Join(err, os.RemoveAll(tmp))
	}
	return os.Rename(tmp, *out)
}

// write makes the image with its partitions and fills the first one.
func write(path string, files []file) (err error) {
	d, err := diskfs.Create(path, imageSize, diskfs.SectorSizeDefault)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	err = d.Partition(&mbr.Table{LogicalSectorSize: sector, PhysicalSectorSize: sector, Partitions: []*mbr.Partition{
		{Index: 1, Bootable: true, Type: mbr.Fat32LBA, Start: bootStart, Size: bootSize},
		{Index: 2, Type: mbr.Linux, Start: dataStart, Size: dataSize}}})
	if err != nil {
		return fmt.Errorf("partitions: %w", err)
	}
	fat, err := d.CreateFilesystem(disk.FilesystemSpec{Partition: 1, FSType: filesystem.TypeFat32, VolumeLabel: "MONBAN", Reproducible: true})
	if err != nil {
		return fmt.Errorf("boot partition: %w", err)
	}
	made := map[string]bool{}
	for _, f := range files {
		dir := filepath.Dir(f.name)
		for i, c := range dir + "/" { // each folder of the way
			if p := dir[:min(i, len(dir))]; c == '/' && p != "." && !made[p] {
				if err := fat.Mkdir(p); err != nil {
					return fmt.Errorf("%s: %w", p, err)
				}
				made[p] = true
			}
		}
		w, err := fat.OpenFile(f.name, os.O_CREATE|os.O_RDWR)
		if err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
		if _, err = io.Copy(w, strings.NewReader(string(f.data))); err == nil {
			err = w.Close()
		}
		if err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
	}
	return nil
}
